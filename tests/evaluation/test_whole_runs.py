"""Which pictures and seeds a table is of when time ended early."""

from __future__ import annotations

import pytest

from engines.core.errors import OptionError
from engines.evaluation.whole_runs import whole_runs


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({(i, s) for i in range(3) for s in (5, 6)}, ([0, 1, 2], [5, 6])),
        ({(0, 5), (1, 5), (2, 5), (0, 6)}, ([0, 1, 2], [5])),
        ({(0, 5), (1, 5), (0, 6), (1, 6)}, ([0, 1], [5, 6])),
        ({(1, 5), (0, 6), (1, 6)}, ([1], [5, 6])),
        ({(2, 5)}, ([2], [5])),
    ],
)
def test_the_largest_whole_part_is_taken(places, expected):
    assert whole_runs(places, 3, [5, 6], "methods") == expected


@pytest.mark.parametrize("places", [set(), {(0, 6), (1, 6)}])
def test_without_the_first_seed_there_is_nothing(places):
    with pytest.raises(OptionError, match="fewer methods"):
        whole_runs(places, 3, [5, 6], "methods")

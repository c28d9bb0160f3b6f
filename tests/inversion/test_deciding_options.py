"""What the table says decides a result does, and what it leaves out does not."""

import numpy as np
import pytest

from engines.core.progress import CancelToken
from engines.inversion.deciding_options import unused_options
from engines.inversion.options import InversionOptions
from engines.tuning import run as course
from engines.tuning.methods import METHODS

_OTHERS = {
    "mask": (4.0, 4.0, 20.0, 24.0),
    "transform": "spatial",
    "space": "z",
    "encoder_start": False,
    "pixel_loss": "laplacian",
    "global_loss": "none",
}


@pytest.mark.parametrize("method", ["encoder", "iterated-encoder", "encoder-refine", "adam", "fine-tune", "clone"])
def test_a_result_depends_on_these_options_and_no_others(tiny_pack, method, monkeypatch):
    # A tuning begins with a search for the code, which may be short: poor codes depend on the same options.
    monkeypatch.setattr(course, "PIVOT_STEPS", 6)
    monkeypatch.setattr(course, "PLACED_STEPS", 8)
    crop = np.random.default_rng(0).integers(0, 256, (tiny_pack.manifest.resolution,) * 2 + (3,), dtype=np.uint8)

    def result(**options):
        return list(METHODS[method](tiny_pack, crop, InversionOptions(steps=6, **options), CancelToken()))[-1].result

    plain = result()
    for name, value in _OTHERS.items():
        other = result(**{name: value})
        same = np.array_equal(other.w_plus, plain.w_plus) and other.mse == plain.mse and _same_weights(other, plain)
        assert same == (unused_options(method, InversionOptions(**{name: value})) == [name]), name


def _same_weights(one, other) -> bool:
    mine, theirs = one.weight_differences, other.weight_differences
    return set(mine) == set(theirs) and all(np.array_equal(mine[name], theirs[name]) for name in mine)


def test_what_was_set_in_vain_is_named():
    assert unused_options("encoder", InversionOptions(steps=5, mask=(0, 0, 9, 9), seed=3)) == ["steps", "mask"]
    assert unused_options("encoder-refine", InversionOptions(seconds=5, transform="both")) == ["transform"]
    assert unused_options("clone", InversionOptions(space="z")) == ["space"]
    assert unused_options("clone", InversionOptions(space="z", transform="both", global_loss="none")) == []
    assert unused_options("basin-cma", InversionOptions(1.0, 1, 1, space="z", mask=(0, 0, 9, 9), transform="both")) == []

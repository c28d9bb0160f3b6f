from __future__ import annotations

from engines.evaluation.revisions import METHODS_REVISION, revised, revision_of


def test_runs_of_a_method_that_has_changed_alone_are_named_anew():
    assert revised("0000-0-adam", "adam") == "0000-0-adam"
    assert revised("0000-0-basin-cma", "basin-cma") == f"0000-0-basin-cma-r{revision_of('basin-cma')}"
    assert revision_of("basin-cma:w+") == revision_of("basin-cma") > revision_of("adam:w+") == METHODS_REVISION

"""What tests of several trainings share."""

from __future__ import annotations

import pytest

from engines.training.code_flow import CodeFlow


@pytest.fixture
def quick_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """256 codes a step of the flow and of the mapping network, and a field of 128 units in place of 512.

    A field for eight coordinates needs no more: more steps of it than the wide one could make bring it nearer to the codes.
    """
    for module in ("code_flow", "mapping_fit"):
        monkeypatch.setattr(f"engines.training.{module}._BATCH", 256)
    monkeypatch.setitem(CodeFlow.__init__.__kwdefaults__, "width", 128)

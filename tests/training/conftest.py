"""What tests of several trainings share."""

from __future__ import annotations

import pytest


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """256 codes a step of the flow and of the mapping network: as many steps in a quarter of the time or less."""
    for module in ("code_flow", "mapping_fit"):
        monkeypatch.setattr(f"engines.training.{module}._BATCH", 256)

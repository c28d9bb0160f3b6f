"""Tests of experiments draw each picture of a rendered set once."""

from __future__ import annotations

import pytest

from tests.rendered_once import render_once


@pytest.fixture(autouse=True)
def _rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    render_once(monkeypatch)

"""Which short hair style can carry waves, bangs and a receding hairline."""

from __future__ import annotations

from engines.data.faces.attributes import RECEDING

__all__ = ["COMBED", "fitting_style"]

COMBED = ("short", "back", "forward")
"""Styles long enough to wave and to fall into the forehead."""


def fitting_style(style: str, *, long: bool, wavy: bool, bangs: bool, recede: float) -> str:
    """`style`, or "short" where it contradicts the other choices. Long hair keeps it: a counterfactual may need it."""
    if long:
        return style
    bangs_impossible = bangs and style not in COMBED
    waves_impossible = wavy and style in ("buzz", "bun")
    always_wavy = not wavy and style == "afro"
    covers_temples = recede > RECEDING and style in ("forward", "afro")
    return "short" if bangs_impossible or waves_impossible or always_wavy or covers_temples else style

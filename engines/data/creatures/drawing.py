"""A creature alone, with transparency around it: a DiceBear drawing rendered by resvg."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from engines.core.errors import MissingExtraError
from engines.data.creatures.creature import Creature
from engines.data.creatures.palette import palette
from engines.data.creatures.styles import STYLES

__all__ = ["SOLID", "extent_of", "layer"]

SOLID = 32
"""Alpha of 255 from which on a pixel belongs to the object: soft shadows and the fringe of edges do not."""
_MEASURED_PX = 128


def layer(creature: Creature, size_px: int) -> np.ndarray:
    """The creature in its place, RGBA uint8 [size_px, size_px, 4], not multiplied by alpha."""
    sheet = _sheet_side(creature.style)
    x0, y0, x1, y1 = creature.extent
    # How much of the sheet the picture spans, and from where, such that the extent lands on the box.
    span = ((x1 - x0) * (y1 - y0)) ** 0.5 / creature.size
    x = 1 - creature.x if creature.flipped else creature.x
    left, top = (x0 + x1) / 2 - x * span, (y0 + y1) / 2 - creature.y * span
    colours = palette(creature.lightness, creature.chroma, creature.hues)
    drawn = _rendered(_svg(creature.style, creature.seed, colours), (left * sheet, top * sheet, span * sheet), size_px, sheet)
    return drawn[:, ::-1] if creature.flipped else drawn


def extent_of(style: str, seed: int) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the drawing in shares of its sheet; colours do not change it."""
    sheet = _sheet_side(style)
    svg = _svg(style, seed, palette(0.7, 0.1, (40, 60)))
    solid = _rendered(svg, (0, 0, sheet), _MEASURED_PX, sheet)[:, :, 3] >= SOLID
    rows, columns = (np.flatnonzero(solid.any(axis)) for axis in (1, 0))
    sides = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return tuple(round(float(side) / _MEASURED_PX, 4) for side in sides)


def _svg(style: str, seed: int, colours: dict[str, str]) -> str:
    avatar, _ = _dicebear()
    row = STYLES[style]
    chosen = {f"{name}Color": [colours[role]] for name, role in row.colours.items()}
    # No colour at all is a transparent background.
    return str(avatar(_definition(style), {"seed": str(seed), "backgroundColor": [], **row.options, **chosen}))


def _rendered(svg: str, window: tuple[float, float, float], size_px: int, sheet: float) -> np.ndarray:
    """The window (left, top, side) of a sheet as RGBA [size_px, size_px, 4]."""
    left, top, side = window
    whole = f'viewBox="0 0 {sheet:g} {sheet:g}"'
    if svg.count(whole) != 1:
        raise ValueError(f"the drawing does not start with {whole}: its package has another form than the one required")
    moved = svg.replace(whole, f'viewBox="{left:.4f} {top:.4f} {side:.4f} {side:.4f}"')
    _, rasterise = _dicebear()
    png = rasterise(svg_string=moved, width=size_px, height=size_px, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))


def _sheet_side(style: str) -> float:
    return float(_definition(style).canvas().width())


@cache
def _definition(style: str) -> Any:
    """The style, checked by its package when first asked for (a second or so)."""
    from importlib.resources import files

    _dicebear()
    from dicebear import Style

    return Style(json.loads(files("dicebear_styles").joinpath(f"{style}.json").read_text("utf-8")))


def _dicebear() -> tuple[Any, Any]:
    """What makes a drawing, and what renders it. Raises MissingExtraError where they are not installed."""
    try:
        import dicebear_styles  # noqa: F401
        from dicebear import Avatar
        from resvg_py import svg_to_bytes
    except ImportError as error:
        raise MissingExtraError(
            "Creatures need the packages dicebear-core, dicebear-styles and resvg-py; install them with "
            "`pip install -r requirements-train.txt`."
        ) from error
    return Avatar, svg_to_bytes

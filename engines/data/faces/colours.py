"""The palettes, in linear light."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array

__all__ = ["DYED_HAIR", "HAIR", "IRIS", "brow_colour", "hair_colour", "linear", "skin_colour"]


def linear(srgb: Sequence[float] | Array) -> Array:
    """sRGB 0..255 to linear light 0..1 (a plain 2.2 gamma: the renderer's own curve undoes it)."""
    return (np.asarray(srgb, F32) / 255.0) ** 2.2


_SKIN = linear([(247, 220, 206), (226, 177, 147), (206, 150, 115), (168, 114, 80), (114, 73, 50), (68, 43, 32)])
"""From no melanin to most."""
HAIR = {
    "black": linear((27, 23, 22)), "brown": linear((78, 50, 32)), "lightbrown": linear((104, 74, 48)),
    "auburn": linear((90, 48, 30)), "blond": linear((206, 168, 108)), "red": linear((158, 74, 36)),
    "gray": linear((136, 135, 134)), "white": linear((194, 193, 190)),
}  # fmt: skip
DYED_HAIR = {
    "blue": linear((52, 86, 168)), "green": linear((62, 138, 84)),
    "pink": linear((214, 96, 150)), "purple": linear((108, 62, 148)),
}  # fmt: skip
"""Worn only in the out-of-distribution set."""
BROWS = {
    "black": linear((26, 21, 19)), "brown": linear((58, 38, 26)), "lightbrown": linear((84, 60, 40)),
    "auburn": linear((76, 40, 26)), "red": linear((128, 66, 36)), "blond": linear((136, 102, 64)),
    "gray": linear((104, 100, 97)), "white": linear((150, 147, 143)),
}  # fmt: skip
"""Eyebrows follow the hair but are darker where it is light."""
IRIS = {
    "brown": linear((84, 50, 28)), "darkbrown": linear((46, 28, 18)), "blue": linear((82, 100, 116)),
    "green": linear((96, 112, 70)), "hazel": linear((122, 88, 44)), "gray": linear((118, 126, 130)),
}  # fmt: skip


def skin_colour(melanin: Array) -> Array:
    """Linear RGB [N, 3] of skin with melanin [N] in 0..1."""
    position = np.clip(melanin, 0, 1) * (len(_SKIN) - 1)
    channels = [np.interp(position, np.arange(len(_SKIN)), _SKIN[:, k]) for k in range(3)]
    return np.stack(channels, -1).astype(F32)


def brow_colour(portrait: Portrait) -> Array:
    """Linear RGB [3]; under dyed hair brows are brown."""
    return BROWS["brown" if portrait.hair_color in DYED_HAIR else portrait.hair_color]


def hair_colour(portrait: Portrait) -> Array:
    """Linear RGB [3]."""
    return ((HAIR | DYED_HAIR)[portrait.hair_color] * np.array([portrait.hair_shade] * 3, F32)).astype(F32)

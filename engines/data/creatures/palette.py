"""Colours as lightness, chroma and hue in OKLab (Ottosson 2020): equal steps look equal, whatever the hue."""

from __future__ import annotations

import numpy as np

__all__ = ["hex_colour", "oklch_to_srgb", "palette"]

_TO_CONES = np.array(
    [[1.0, 0.3963377774, 0.2158037573], [1.0, -0.1055613458, -0.0638541728], [1.0, -0.0894841775, -1.2914855480]]
)
_TO_LINEAR = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
_PALE, _DEEP = 0.09, -0.13
_INK = (0.40, 0.06)
"""Lightness and chroma of lines: they show on every body and on every background."""


def oklch_to_srgb(lightness: np.ndarray | float, chroma: np.ndarray | float, hue_deg: np.ndarray | float) -> np.ndarray:
    """sRGB [..., 3] in 0..1, clipped to what a screen can show.

    lightness: 0 black to 1 white. chroma: 0 grey, .3 about the most. hue: 30 red, 95 yellow, 145 green, 195 cyan, 265 blue.
    """
    lightness, chroma, hue = np.broadcast_arrays(lightness, chroma, np.radians(hue_deg))
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = np.clip((lab @ _TO_CONES.T) ** 3 @ _TO_LINEAR.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def hex_colour(lightness: float, chroma: float, hue_deg: float) -> str:
    """``#rrggbb``."""
    levels = np.rint(255 * oklch_to_srgb(lightness, chroma, hue_deg)).astype(int)
    return "#" + "".join(f"{level:02x}" for level in levels)


def palette(lightness: float, chroma: float, hues_deg: tuple[float, float]) -> dict[str, str]:
    """The colours of one creature: `main` of the first hue; `second`, `pale`, `deep` and `ink` of the second one."""
    first, second = hues_deg
    return {
        "main": hex_colour(lightness, chroma, first),
        "second": hex_colour(lightness + 0.02, chroma, second),
        "pale": hex_colour(lightness + _PALE, 0.8 * chroma, second),
        "deep": hex_colour(lightness + _DEEP, chroma, second),
        "ink": hex_colour(*_INK, second),
    }

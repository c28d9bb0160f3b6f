"""From a record to its picture."""

from __future__ import annotations

import math

import numpy as np

from engines.data.creatures.background import background
from engines.data.creatures.creature import Creature
from engines.data.creatures.drawing import layer

__all__ = ["render"]


def render(creature: Creature, size_px: int = 64) -> np.ndarray:
    """uint8 RGB [size_px, size_px, 3]; the same creature always gives the same picture. Some 20 ms on one core."""
    drawn = layer(creature, size_px).astype(np.float64) / 255
    opacity = drawn[:, :, 3:]
    picture = drawn[:, :, :3] * opacity + background(creature, size_px) * (1 - opacity)
    return np.rint(255 * np.clip(picture * math.exp(creature.brightness), 0, 1)).astype(np.uint8)

"""The colour of single strands of hair and beard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.data.faces.colours import hair_colour
from engines.data.faces.noise import STREAK_PX, noise, streaks
from engines.data.faces.portrait import Portrait
from engines.data.faces.pose import Pose
from engines.data.faces.scene import Material, PlacedStrands
from engines.data.faces.vectors import F32, Array, dot, smooth, unit, weigh

__all__ = ["StrandPoints", "shade_strands"]


@dataclass(frozen=True)
class StrandPoints:
    """N points on strands."""

    colour: Array
    """Linear RGB [N, 3]."""
    normal: Array
    """[N, 3]: away from the head, across the strand."""
    tangent: Array
    """[N, 3]."""
    chance: Array
    """[N]: the strand's own number."""


def shade_strands(
    portrait: Portrait, placed: PlacedStrands, corners: Array, weights: Array, position: Array, pose: Pose
) -> StrandPoints:
    """`corners` [N, 3] and `weights` [N, 3] are of the ribbons' triangles, `position` [N, 3] the points themselves."""
    beard = placed.material == Material.BEARD
    size = placed.strands.points.shape[1]
    index = corners - placed.first_vertex
    node, edge = index // 2, (index % 2).astype(F32)
    across = dot(edge, weights)
    along = dot((node % size).astype(F32), weights) / F32(size - 1)
    strand = node[:, 0] // size
    tangent = unit(weigh(placed.tangents.reshape(-1, 3), node, weights)).astype(F32)
    chance = placed.strands.chance[strand]
    hair = hair_colour(portrait) * 0.9 if beard else hair_colour(portrait)
    streak = streaks((chance * 251 + across * 3.2) % STREAK_PX, (along * 40 + chance * 97) % STREAK_PX, mode="grid-wrap")
    lock = noise(placed.strands.points[strand, 0], 4.0, 3)
    variety = 0.6 if beard else 1.0
    value = 1 + variety * (0.20 * streak + 0.30 * (chance - 0.5)) + 0.10 * lock
    colour = hair * np.clip(value, 0.35, 1.9)[:, None]
    if portrait.gray_mix > 0.02:
        gray = smooth(1 - portrait.gray_mix * 1.1, 1.05 - portrait.gray_mix, (chance * 977) % 1.0)[:, None]
        colour = colour * (1 - gray) + (0.70 * hair + 0.055) * gray * np.clip(value, 0.5, 1.5)[:, None]
    colour = colour * (0.72 + 0.42 * smooth(0, 0.6, along))[:, None]  # lighter towards the tip
    if portrait.hair_color == "blond":  # and dark at the root
        roots = (smooth(0.35, 0.0, along) * 0.35)[:, None]
        colour = colour * (1 + roots * np.array([-0.6, -0.9, -1.0], F32))
    return StrandPoints(colour, _normals(position, tangent, pose), tangent, chance)


def _normals(position: Array, tangent: Array, pose: Pose) -> Array:
    """Normals of a sphere about the head that turns into an upright cylinder below it: smoother light than the ribbons'."""
    outward = position - pose.head(np.array([[0, 7.55, 0.45]], F32))[0]
    outward[:, 1] = np.where(outward[:, 1] > 0, outward[:, 1], 0.2 * outward[:, 1])
    outward = unit(outward)
    return unit(outward - dot(outward, tangent)[:, None] * tangent)

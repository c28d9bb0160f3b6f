"""Which part of an edit is of the ground alone: a photo's ground stays where an object is blended into it.

Blending keeps the gradients of the generator's picture and the photo's colours around them. Of an object on a ground that
was made lighter it would leave a black one on the photo's own.
"""

from __future__ import annotations

import dataclasses

from engines.packs.manifest import Manifest
from engines.session.state import EditState

__all__ = ["GROUND_GROUP", "without_ground"]

GROUND_GROUP = "background"
"""The group of attributes that show around the object."""


def without_ground(manifest: Manifest, state: EditState) -> EditState:
    """The state without edits of the ground; itself where it has none."""
    ground = {attribute.id for attribute in manifest.attributes if attribute.group == GROUND_GROUP}
    alphas = tuple(pair for pair in state.alphas if pair[0] not in ground)
    steps = tuple(step for step in state.steps if step.attribute not in ground)
    return dataclasses.replace(state, alphas=alphas, steps=steps)

"""Little creatures of ten kinds with exact classes, attributes and boxes.

>>> from engines.data import creatures
>>> creature = creatures.sample("critters", [7])
>>> picture = creatures.render(creature)                                     # uint8 [64, 64, 3]
>>> warm = creatures.render(creatures.counterfactual(creature, "Warm_Color", True))

The drawings are DiceBear's (see :mod:`engines.data.creatures.styles` for whom to thank); colours, places, sizes and
backgrounds are drawn here, so that they are known.
"""

from __future__ import annotations

from engines.data.creatures.creature import ATTRIBUTES, Creature, counterfactual, labels
from engines.data.creatures.render import render
from engines.data.creatures.sampling import sample, sample_astray
from engines.data.creatures.styles import CREDITS, STYLES

__all__ = ["ATTRIBUTES", "CREDITS", "STYLES", "Creature", "counterfactual", "labels", "render", "sample", "sample_astray"]

"""Rendered portraits with exact factor labels.

>>> from engines.data import faces
>>> portrait = faces.sample(7)
>>> picture = faces.render(portrait)                                    # uint8 [128, 128, 3]
>>> faces.attributes(portrait)["Eyeglasses"]
False
>>> with_glasses = faces.render(faces.counterfactual(portrait, "Eyeglasses", True))

Lengths are decimetres, y points up, z out of the face, +x to the person's left. "Template" means the average adult head of
the MakeHuman mesh: everything procedural (hairline, skin, beard, brows) is written in template coordinates and follows each
identity because its vertices carry their template position with them.
"""

from __future__ import annotations

from engines.data.faces.attributes import ATTRIBUTES, attributes
from engines.data.faces.counterfactual import counterfactual
from engines.data.faces.portrait import Portrait
from engines.data.faces.render import render
from engines.data.faces.sampling import OUT_OF_DISTRIBUTION, reshoot, sample

__all__ = ["ATTRIBUTES", "OUT_OF_DISTRIBUTION", "Portrait", "attributes", "counterfactual", "render", "reshoot", "sample"]

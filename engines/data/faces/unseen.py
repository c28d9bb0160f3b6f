"""People and pictures that training never shows: what the set ``faces-ood`` is made of.

Hats, headscarf and earrings (see OUT_OF_DISTRIBUTION), hair in dyed colours, heads turned further than any training
portrait, and hard light from the side without fill.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engines.data.faces.colours import DYED_HAIR
from engines.data.faces.draws import Draws, Seed, generator
from engines.data.faces.portrait import Portrait
from engines.data.faces.sampling import OUT_OF_DISTRIBUTION, sample

__all__ = ["UNSEEN_KINDS", "sample_unseen"]

UNSEEN_KINDS = (*OUT_OF_DISTRIBUTION, "dyed-hair", "strong-pose", "hard-light")


def sample_unseen(kind: str, seed: Seed) -> Portrait:
    """Draws one portrait of a kind of UNSEEN_KINDS. Raises ValueError for another kind."""
    if kind in OUT_OF_DISTRIBUTION:
        return sample(seed, ood=kind)
    rng = generator(seed)
    portrait, draw = sample(rng), Draws(rng)
    side = draw.choice((-1.0, 1.0))
    if kind == "dyed-hair":
        changes = {"hair_color": draw.choice(tuple(DYED_HAIR)), "bald": False, "gray_mix": 0.0}
    elif kind == "strong-pose":
        # Training turns heads by 22 degrees and nods by 10 at most.
        changes = {"yaw": side * draw.between(26, 34), "pitch": draw.choice((-1.0, 1.0)) * draw.between(4, 12)}
    elif kind == "hard-light":
        light = {"light_az": side * float(np.radians(draw.between(60, 80))), "light_size": 0.015, "light_int": 1.6}
        changes = light | {"ambient": draw.between(0.05, 0.10), "fill": 0.0}
    else:
        raise ValueError(f"{kind!r} is not one of {', '.join(UNSEEN_KINDS)}")
    return replace(portrait, **{name: round(v, 4) if isinstance(v, float) else v for name, v in changes.items()})

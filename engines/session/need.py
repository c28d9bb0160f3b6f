"""How much of an edit a picture calls for: what has a beard already gets none, what has none cannot lose it.

The map of an edit is learned on the codes that lack what it brings, and moves all others just as far: asked to take glasses
off a face without, it paints where they would have been. An optimal transport map to all codes that have the attribute would
leave those that have it where they are; this is what the predictor's answer about the unedited picture is used for here:

    strength = need(p) * alpha,    p the probability that the attribute is there
    need = smooth step of 2 p for alpha < 0,    MORE + (1 - MORE) * smooth step of 2 (1 - p) for alpha > 0

Less than none there cannot be; of what is there more can be asked for, and gets a share of the strength.
"""

from __future__ import annotations

import torch

from engines.imaging.smooth_step import smooth_step

__all__ = ["MORE", "needed"]

MORE = 0.25
"""Of a strength that adds to what is there: a broader smile, no second one."""


def needed(alpha: float, probability: float) -> float:
    """The strength that is applied of `alpha` where the unedited picture has the attribute with `probability` 0..1.

    Where the predictor is undecided (.5) or says that the edit is called for, all of it.
    """
    lacking = 1 - probability if alpha > 0 else probability
    called_for = float(smooth_step(torch.tensor(2 * lacking)))
    least = MORE if alpha > 0 else 0.0
    return alpha * (least + (1 - least) * called_for)

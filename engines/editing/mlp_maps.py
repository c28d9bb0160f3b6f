"""Edit maps that bend: one hidden layer beside the affine map, in the codes' leading principal coordinates.

    H_kd(z) = (s M_kd + relu(s A_kd + c_kd) B_kd) diag(sigma) V + b_kd,    s = min(1, R / |x|) x,    x = V (z - mean) / sigma

An affine map (:mod:`engines.editing.edit_maps`, the paper's) cannot choose: where a digit fits into one of two empty places,
it can only put half of one into each. V are orthonormal axes over all layers at once, so that every layer hears the same
choice. A code that lies farther out than those of pictures do, as a search finds, is asked about where it enters their ball of
radius R: beyond it no code has told the map what to do, and what units add up to there grows without end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engines.core.shapes import check_shape
from engines.editing.family import DIRECTIONS, CodeFamily

__all__ = ["MlpMaps"]

_TYPICAL_RADIUS = 1.25
"""R as a share of the square root of the number of coordinates, which is the root-mean-square norm of codes."""
_LEAST_DEVIATION = 1e-3
"""As a share of the largest; half precision can store it."""


class MlpMaps(CodeFamily):
    """Maps with `hidden` hidden units on W+ codes [N, L, D] for K attributes and both directions.

    components: r, the principal coordinates that are read and changed. Set `axes` and `deviations` before use.
    Parameters start at zero: an untrained map leaves every code as it is.
    """

    reads_encoded = True

    def __init__(self, attributes: Sequence[str], layers: int, dim: int, *, components: int, hidden: int) -> None:
        super().__init__(attributes, layers, dim)
        if not 1 <= components <= layers * dim:
            raise ValueError(f"edit maps need from 1 to {layers * dim} components, got {components}")
        if hidden < 1:
            raise ValueError(f"edit maps with a hidden layer need a unit in it, got {hidden}")
        self.components, self.hidden = int(components), int(hidden)
        self.register_buffer("axes", torch.zeros(components, layers * dim))
        self.register_buffer("deviations", torch.ones(components))
        maps = (len(self.attributes), len(DIRECTIONS))
        self.matrix = nn.Parameter(torch.zeros(*maps, components, components))
        self.inwards = nn.Parameter(torch.zeros(*maps, components, hidden))
        self.threshold = nn.Parameter(torch.zeros(*maps, hidden))
        self.outwards = nn.Parameter(torch.zeros(*maps, hidden, components))
        self.bias = nn.Parameter(torch.zeros(*maps, layers, dim))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MlpMaps:
        shape = (config["attributes"], int(config["layers"]), int(config["dim"]))
        return cls(*shape, components=int(config["components"]), hidden=int(config["hidden"]))

    def config_json(self) -> dict[str, Any]:
        shape = {"attributes": list(self.attributes), "layers": self.layers, "dim": self.dim}
        return {**shape, "components": self.components, "hidden": self.hidden}

    def set_coordinates(self, mean: Tensor, factors: Tensor) -> None:
        """mean [L, D]; factors [>= r, L*D], rows orthogonal, largest first, F^T F the covariance of the flattened codes."""
        kept = factors[: self.components]
        deviations = kept.square().sum(1).sqrt()
        # Where codes do not vary, nothing is read instead of noise divided by nothing.
        deviations = deviations.clamp_min(_LEAST_DEVIATION * float(deviations[0]))
        self.mean.copy_(mean)
        self.deviations.copy_(deviations)
        self.axes.copy_(kept / deviations[:, None])

    def change(self, w_plus: Tensor, attribute: str, direction: str) -> Tensor:
        """H_kd(w_plus) [N, L, D] of one attribute and direction, before `scale`."""
        check_shape(w_plus, (None, self.layers, self.dim), "w_plus")
        k, d = self._index(attribute), DIRECTIONS.index(direction)
        s = (w_plus - self.mean).flatten(1) @ self.axes.T / self.deviations
        s = s * (_TYPICAL_RADIUS * self.components**0.5 / s.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp_max(1)
        bent = torch.relu(s @ self.inwards[k, d] + self.threshold[k, d]) @ self.outwards[k, d]
        return ((s @ self.matrix[k, d] + bent) * self.deviations @ self.axes).view_as(w_plus) + self.bias[k, d]

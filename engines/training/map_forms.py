"""The forms that a transport map has while it is fitted, and what each becomes in a pack.

A form is called with codes [n, L, D] and gives their changes H(codes) [n, L, D].
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from engines.core.rng import torch_generator
from engines.editing.mlp_maps import MlpMaps

__all__ = ["FreeForm", "MapForm", "MatrixForm", "MlpForm", "SharedForm"]


class MapForm(nn.Module):
    """What all forms have in common."""

    beta: nn.Parameter
    """What happens to all codes alike, on top of the change that the map starts at."""

    def stored(self, rank: int) -> dict[str, Tensor]:
        """The map's part of every parameter of the family that holds it; rank: of the layers' matrices, where they have one."""
        raise NotImplementedError(f"{type(self).__name__} must say how it is stored")

    def cut(self, rank: int) -> MapForm:
        """The map as :meth:`stored` keeps it; itself where that takes nothing away."""
        return self


class MatrixForm(MapForm):
    """A map by matrices, of which `rank` largest singular values are stored."""

    matrix: nn.Parameter
    """[..., r, r]"""

    @torch.no_grad()
    def cut(self, rank: int) -> MapForm:
        if rank >= self.matrix.shape[-1]:
            return self
        left, right = self._factors(rank)
        kept = copy.deepcopy(self)
        kept.matrix.copy_(left @ right)
        return kept

    def _factors(self, rank: int) -> tuple[Tensor, Tensor]:
        """[..., r, rank] and [..., rank, r], whose product is the matrix of that rank nearest to `matrix`."""
        u, singular, v = torch.linalg.svd(self.matrix, full_matrices=False)
        root = singular[..., :rank].sqrt()
        return u[..., :rank] * root[..., None, :], root[..., None] * v[..., :rank, :]


class SharedForm(MatrixForm):
    """An affine map in the codes' leading principal coordinates, which every layer applies to itself.

    A code's standardised coordinates s [r] are read from one layer alone, by least squares (A_l), changed by one matrix M that
    all layers share, and written back along the part of the principal axes that lies in that layer (V_l):

        H(w)_l = ((w_l - mean_l) A_l - c_l) M V_l + shift_l + beta V_l

    c is the sources' mean, so that M says only how codes are changed differently, and shift + beta V what happens to all.
    With r^2 + r numbers to learn instead of 2 L D r the map cannot follow single samples, and all layers tell one story.
    """

    def __init__(self, mean: Tensor, factors: Tensor, centre: Tensor, shift: Tensor) -> None:
        """factors: the r leading rows of the code statistics [r, L, D], axes times deviations; centre, shift: [L, D]."""
        super().__init__()
        count = len(factors)
        per_layer = factors.transpose(0, 1)  # [L, r, D]
        # A_l = F^T (F F^T + ridge)^-1: a layer may show some coordinates hardly at all, and must not blow up what it shows.
        gram = per_layer @ per_layer.transpose(1, 2)  # [L, r, r]
        ridge = 1e-3 * gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * torch.eye(count)
        self.mean, self.shift, self.axes = mean, shift, per_layer
        inverse = torch.cholesky_inverse(torch.linalg.cholesky((gram + ridge).double())).float()
        self.read = per_layer.transpose(1, 2) @ inverse  # [L, D, r]
        self.centre = (centre - mean)[:, None] @ self.read  # [L, 1, r]
        self.matrix = nn.Parameter(torch.zeros(count, count))
        self.beta = nn.Parameter(torch.zeros(count))

    def forward(self, codes: Tensor) -> Tensor:
        coordinates = (codes - self.mean).transpose(0, 1) @ self.read - self.centre  # [L, n, r]
        return ((coordinates @ self.matrix + self.beta) @ self.axes).transpose(0, 1) + self.shift

    @torch.no_grad()
    def stored(self, rank: int) -> dict[str, Tensor]:
        """left [L, D, rank], right [L, rank, D] and bias [L, D]: M is cut to its `rank` largest singular values."""
        # Cut after the mean was taken out, so that the mean change stays what was fitted.
        left, right = self._factors(rank)
        right = right @ self.axes
        bias = self.beta @ self.axes + self.shift - (self.centre @ left @ right).squeeze(1)
        return {"left": self.read @ left, "right": right, "bias": bias}


class FreeForm(MatrixForm):
    """H(w)_l = (w_l - mean_l) W_l + shift_l + b_l with a matrix of its own for every layer, the map of the paper in W+."""

    def __init__(self, mean: Tensor, shift: Tensor) -> None:
        super().__init__()
        layers, dim = mean.shape
        self.mean, self.shift = mean, shift
        self.matrix = nn.Parameter(torch.zeros(layers, dim, dim))
        self.beta = nn.Parameter(torch.zeros(layers, dim))

    def forward(self, codes: Tensor) -> Tensor:
        return ((codes - self.mean).transpose(0, 1) @ self.matrix).transpose(0, 1) + self.shift + self.beta

    @torch.no_grad()
    def stored(self, rank: int) -> dict[str, Tensor]:
        """left [L, D, rank], right [L, rank, D] and bias [L, D]: every W_l is cut to its `rank` largest singular values."""
        left, right = self._factors(rank)
        return {"left": left, "right": right, "bias": self.shift + self.beta}


class MlpForm(MapForm):
    """The map with a hidden layer of :mod:`engines.editing.mlp_maps`; `seed` draws what its units listen to."""

    _NAME, _DIRECTION = "this", "add"

    def __init__(self, mean: Tensor, factors: Tensor, shift: Tensor, *, hidden: int, seed: int) -> None:
        """factors: the r leading rows of the code statistics [r, L*D]; shift: [L, D]."""
        super().__init__()
        components = len(factors)
        self.maps = MlpMaps((self._NAME,), *mean.shape, components=components, hidden=hidden)
        self.maps.set_coordinates(mean, factors)
        self.beta = nn.Parameter(torch.zeros(components))
        draw = torch_generator(seed, 9)
        with torch.no_grad():
            # Half of the units are open at the mean code; what they say starts at nothing.
            self.maps.inwards.copy_(torch.randn(self.maps.inwards.shape, generator=draw) * (2 / components) ** 0.5)
            self.maps.threshold.copy_(torch.rand(self.maps.threshold.shape, generator=draw) - 0.5)
            self.maps.bias.copy_(shift)
        self.maps.bias.requires_grad_(False)

    def forward(self, codes: Tensor) -> Tensor:
        return self.maps.change(codes, self._NAME, self._DIRECTION) + self._shift_beside()

    @torch.no_grad()
    def stored(self, rank: int) -> dict[str, Tensor]:
        found = {name: parameter[0, 0] for name, parameter in self.maps.named_parameters()}
        return {**found, "bias": found["bias"] + self._shift_beside()}

    def _shift_beside(self) -> Tensor:
        return (self.beta * self.maps.deviations @ self.maps.axes).view(self.maps.layers, self.maps.dim)

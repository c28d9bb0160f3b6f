"""A transport cost between the pictures of codes, in features of the pack's perceptual network.

Doubinsky et al. 2023, section 5, name as future work a cost "based on the perceptual LPIPS metric or an equivalent proxy
learned in the latent space". This is the metric itself: with phi the perceptual network's features, averaged over cells of the
picture,

    c(w, w') = 1/2 ||phi(G(w)) - phi(G(w'))||^2

and the map is fitted through the synthesis network G. It sees what a cost of codes cannot: where codes of pictures add up, the
mean of many digits is near to every code of two digits, but its picture, a ghost of them, is like none of theirs. The
linear proxy is :mod:`engines.training.perceptual_cost`, which costs nothing a step and is blind to this.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from engines.predictors.perceptual import PerceptualNetwork
from engines.training.common import autocast

__all__ = ["PictureSpace", "cell_features", "fit_picture_space"]

_BATCH = 48
"""Pictures whose activations are in memory at a time, forwards and backwards."""


def cell_features(network: PerceptualNetwork, image: Tensor, cells: int) -> Tensor:
    """phi [N, F] of images [N, 3, R, R] in [-1, 1]: the two deepest stages' maps, averaged over cells x cells fields.

    With one cell it does not matter where in the picture something is, only whether and how much.
    """
    maps = network.features(image)[-2:]
    # Mean over the fields of squared distances, so that `cells` does not change the scale.
    return torch.cat([F.adaptive_avg_pool2d(m.float(), cells).flatten(1) / cells for m in maps], 1)


class PictureSpace:
    """Features of codes' pictures, centred, of mean squared norm 1; a :class:`engines.training.lw_map.CodeSpace`.

    `unit` is the codes' own: the cost changes its shape, not its scale.
    """

    def __init__(
        self,
        mean: Tensor,
        unit: Tensor,
        pictures: Callable[[Tensor], Tensor],
        network: PerceptualNetwork,
        *,
        cells: int,
        centre: Tensor,
        scale: Tensor,
    ) -> None:
        """mean: [L, D]; unit: []; pictures: codes [m, L, D] to images [m, 3, R, R]; centre [F], scale []: of phi."""
        self.mean, self.unit = mean, unit
        self._pictures, self._network, self._cells = pictures, network, cells
        self._centre, self._scale = centre, scale

    def __call__(self, codes: Tensor) -> Tensor:
        """Coordinates [n, F] of codes [n, L, D]; gradients flow to the codes, at the price of a second synthesis."""
        return torch.cat([self._of(part) for part in codes.split(_BATCH)])

    def _of(self, codes: Tensor) -> Tensor:
        if codes.requires_grad:
            phi = checkpoint(self._phi, codes, use_reentrant=False)
        else:
            phi = self._phi(codes)
        return (phi - self._centre) / self._scale

    def _phi(self, codes: Tensor) -> Tensor:
        with autocast():
            return cell_features(self._network, self._pictures(codes).clamp(-1, 1), self._cells)


@torch.no_grad()
def fit_picture_space(
    codes: Tensor,
    mean: Tensor,
    factors: Tensor,
    pictures: Callable[[Tensor], Tensor],
    network: PerceptualNetwork,
    *,
    cells: int = 1,
) -> PictureSpace:
    """The space in which the pictures of `codes` [n, L, D] have mean 0 and mean squared norm 1.

    mean, factors: the codes' statistics, as a pack has them. pictures, network: see :class:`PictureSpace`.
    """
    if not len(codes):
        raise ValueError("a space of pictures needs codes to be fitted on")
    unit = factors.square().sum().sqrt()
    as_they_are = PictureSpace(mean, unit, pictures, network, cells=cells, centre=torch.zeros(()), scale=torch.ones(()))
    phi = as_they_are(codes)
    centre = phi.mean(0)
    scale = (phi - centre).square().sum(1).mean().sqrt().clamp_min(1e-6)
    return PictureSpace(mean, unit, pictures, network, cells=cells, centre=centre, scale=scale)

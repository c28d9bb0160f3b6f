"""LPIPS (Zhang et al. 2018) on AlexNet where its backbone lies on this machine, else the pack's own perceptual network.

The package ``lpips`` brings the linear weights; the backbone's are torchvision's, and nothing is ever downloaded: they are
used when an earlier download has left them in torch hub's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from engines.core.errors import MissingExtraError
from engines.losses.masked import FeatureDistance

__all__ = ["HasPerceptual", "LpipsDistance", "PerceptualKind", "alexnet_weights", "perceptual_for"]

PerceptualKind = Literal["lpips-alex", "pack"]

_BACKBONE_PATTERN = "alexnet-owt-*.pth"


class HasPerceptual(Protocol):
    """What has a perceptual network of its own: a pack."""

    @property
    def perceptual(self) -> nn.Module: ...


class LpipsDistance(nn.Module):
    """A ``lpips.LPIPS`` as a sum of distance maps; images [N, 3, R, R] in [-1, 1], R >= 32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def features(self, image: Tensor) -> list[Tensor]:
        """Channel-normalised activations of every stage."""
        activations = self.network.net(self.network.scaling_layer(image))
        # The inner constant changes no value; without it the gradient is NaN wherever all channels are 0.
        return [a / ((a.square().sum(1, keepdim=True) + 1e-20).sqrt() + 1e-10) for a in activations]

    def distance_maps(self, image: Tensor, target_features: Sequence[Tensor]) -> list[Tensor]:
        """Maps [N, 1, h, w] of every stage; the distance is the sum of their means."""
        pairs = zip(self.network.lins, self.features(image), target_features, strict=True)
        return [linear((a - b).square()) for linear, a, b in pairs]

    def distance_to(self, image: Tensor, target_features: Sequence[Tensor]) -> Tensor:
        """Distances [N] of images to a target whose :meth:`features` are known."""
        return torch.stack([m.mean((1, 2, 3)) for m in self.distance_maps(image, target_features)]).sum(0)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances [N], 0 for equal pictures."""
        return self.distance_to(a, self.features(b))


def alexnet_weights() -> Path | None:
    """torchvision's AlexNet in torch hub's cache, None where it is not there."""
    found = sorted((Path(torch.hub.get_dir()) / "checkpoints").glob(_BACKBONE_PATTERN))
    return found[0] if found else None


def perceptual_for(models: HasPerceptual) -> tuple[FeatureDistance, PerceptualKind]:
    """The perceptual distance that inversions minimise and are measured by, where the pack's networks are; and which it is.

    Raises MissingExtraError when the backbone is there but cannot be read.
    """
    own, weights = models.perceptual, alexnet_weights()
    if weights is None:
        return own, "pack"
    device = next(own.parameters()).device
    return _loaded(weights, weights.stat().st_mtime_ns, str(device)), "lpips-alex"


@lru_cache(maxsize=2)
def _loaded(weights: Path, _changed: int, device: str) -> LpipsDistance:
    import lpips  # here, since it imports all of torchvision's models

    # First weights are drawn from torch's own generator and thrown away, whose state must not move.
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
        try:
            stored = torch.load(weights, map_location="cpu", weights_only=True)
            # lpips cuts AlexNet's `features` into slices and keeps their numbers.
            state = {name: stored[f"features.{name.split('.', 1)[1]}"] for name in network.net.state_dict()}
            network.net.load_state_dict(state)
        except Exception as error:  # what torch.load raises depends on the damage
            raise MissingExtraError(
                f"{weights} is damaged ({type(error).__name__}): delete it, or download it again."
            ) from error
    return LpipsDistance(network).to(device)

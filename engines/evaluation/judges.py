"""What the pack's networks make of many pictures: pictures in, arrays out, in batches of a fixed size.

Everything is judged on rounded pictures, uint8 [n, R, R, 3]: what a user sees. The batch size is fixed, because the last
bits of a convolution may depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engines.generators.stylegan2 import Generator
from engines.imaging.convert import to_tensor, to_uint8
from engines.packs.load import Pack
from engines.packs.samples import sampled_codes

__all__ = ["Judges", "fitted", "sample_codes", "samples"]

BATCH = 25


class Judges:
    """The networks of one pack, as functions of arrays."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    @property
    def attributes(self) -> tuple[str, ...]:
        """The order of the columns of :meth:`probabilities`."""
        return tuple(self.pack.attribute_predictor.attributes)

    def codes(self, pictures: np.ndarray) -> np.ndarray:
        """Encoder codes float32 [n, L, D], in one pass."""
        return self._of(self.pack.encoder, pictures)

    def pictures(self, w_plus: np.ndarray, generator: Generator | None = None) -> np.ndarray:
        """Synthesis of codes [n, L, D] by the pack's generator, or a tuned one: uint8 [n, R, R, 3]."""
        synthesis = (generator or self.pack.generator).synthesis
        return self._of(lambda codes: to_uint8(synthesis(codes, noise_mode="const")), w_plus)

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """Image predictions [n, K]."""
        return self._of(self.pack.attribute_predictor.probabilities, pictures)

    def features(self, pictures: np.ndarray) -> np.ndarray:
        """Penultimate features [n, F] of the class predictor or, for a pack without one, of the attribute predictor."""
        pack = self.pack
        return self._of((pack.class_predictor if pack.has("class_predictor") else pack.attribute_predictor).features, pictures)

    def classes(self, pictures: np.ndarray) -> np.ndarray:
        """The most probable class [n] of every picture, as its place among the pack's classes."""
        return self._of(self.pack.class_predictor, pictures).argmax(axis=1)

    def class_probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """The class predictor's probabilities [n, C]."""
        return self._of(self.pack.class_predictor.probabilities, pictures)

    def class_kept(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """1 [n] where both pictures are of one class to the predictor, 0 where not; NaN for a pack without classes."""
        if not self.pack.has("class_predictor"):
            return np.full(len(a), np.nan)
        return (self.classes(a) == self.classes(b)).astype(float)

    def boxes(self, pictures: np.ndarray) -> np.ndarray:
        """The objects' boxes [n, 4], (x0, y0, x1, y1) in shares of a side."""
        return self._of(self.pack.box_detector, pictures)

    def identities(self, pictures: np.ndarray) -> np.ndarray:
        """Unit identity vectors [n, E]."""
        return self._of(self.pack.identity, pictures)

    def identity_similarity(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Cosine [n] of the identity vectors of two sets of pictures; NaN for a pack without an identity network."""
        if not self.pack.has("identity"):
            return np.full(len(a), np.nan)
        return np.sum(self.identities(a) * self.identities(b), axis=1)

    def perceptual(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Distances [n] of the pack's perceptual network."""
        return self._of(self.pack.perceptual.distance, a, b)

    def perceptual_features(self, pictures: np.ndarray) -> np.ndarray:
        """The last stage's features of the perceptual network, averaged over positions, [n, F]."""
        return self._of(lambda images: self.pack.perceptual.trunk(images)[-1].mean((2, 3)), pictures)

    def latent_logits(self, w_plus: np.ndarray) -> np.ndarray:
        """Logits [n, K] of the latent classifier for codes [n, L, D], in the order of :attr:`attributes`."""
        known = list(self.pack.latent_classifier.attributes)
        return self._of(self.pack.latent_classifier, w_plus)[:, [known.index(name) for name in self.attributes]]

    def _of(self, function: Callable[..., Tensor | np.ndarray], *arrays: np.ndarray) -> np.ndarray:
        return _batched(function, *arrays, device=self.pack.device)


def samples(pack: Pack, n: int, *, seed: int, truncation: float = 1.0, labels: Tensor | None = None) -> np.ndarray:
    """Unselected samples uint8 [n, R, R, 3]; picture i is that of seed ``seed + i``, with row i of `labels` [n, C] if given."""
    codes = sample_codes(pack, n, seed=seed, truncation=truncation, labels=labels)
    return _batched(lambda w_plus: to_uint8(pack.generator.synthesis(w_plus, noise_mode="const")), codes, device=pack.device)


def sample_codes(pack: Pack, n: int, *, seed: int, truncation: float = 1.0, labels: Tensor | None = None) -> np.ndarray:
    """W+ codes float32 [n, L, D] of the pictures that :func:`samples` gives."""

    def codes(start: int) -> Tensor:
        end = min(start + BATCH, n)
        chosen = None if labels is None else labels[start:end]
        return sampled_codes(pack, range(seed + start, seed + end), labels=chosen, truncation=truncation)

    return np.concatenate([codes(start).cpu().numpy() for start in range(0, n, BATCH)])


def fitted(pictures: np.ndarray, resolution: int) -> np.ndarray:
    """uint8 [n, S, S, 3] brought to [n, R, R, 3]: averaged down by area, or interpolated up; unchanged where S = R."""
    if pictures.shape[1] == resolution:
        return np.asarray(pictures)
    if pictures.shape[1] > resolution:
        return _batched(lambda image: to_uint8(F.interpolate(image, size=resolution, mode="area")), pictures)
    up: Mapping[str, Any] = {"mode": "bilinear", "align_corners": False}
    return _batched(lambda image: to_uint8(F.interpolate(image, size=resolution, **up)), pictures)


@torch.no_grad()
def _batched(
    function: Callable[..., Tensor | np.ndarray], *arrays: np.ndarray, device: torch.device | str = "cpu"
) -> np.ndarray:
    """`function` over batches, joined to float32 or uint8; pictures go in as images in [-1, 1], other arrays as tensors."""
    parts = []
    for start in range(0, len(arrays[0]), BATCH):
        # Copies: rendered sets are read-only files, which torch does not like.
        batch = [np.array(array[start : start + BATCH]) for array in arrays]
        tensors = (to_tensor(x) if x.dtype == np.uint8 else torch.from_numpy(x) for x in batch)
        value = function(*(tensor.to(device) for tensor in tensors))
        parts.append(value.float().cpu().numpy() if isinstance(value, Tensor) else value)
    return np.concatenate(parts)

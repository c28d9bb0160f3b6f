"""Attributes of pictures by a latent classifier: what it says of the code that the encoder gives of the picture.

For attributes that no image predictor knows. The picture is looked at again, and not the code that it was painted from: codes
can be moved to where the classifier says yes and the picture still shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from engines.predictors.latent_classifier import LatentClassifier

__all__ = ["CodeReader"]


class CodeReader:
    """F(E(x)) of pictures x [N, 3, R, R] in [-1, 1]: logits [N, K]."""

    def __init__(self, encoder: Callable[[Tensor], Tensor], classifier: LatentClassifier) -> None:
        self._encoder, self._classifier = encoder, classifier
        self.attributes = classifier.attributes

    def __call__(self, images: Tensor) -> Tensor:
        return self._classifier(self._encoder(images))

"""What each network of ``train predictors`` learns, and how well it did.

All see rendered pictures only, through the degradations of :mod:`engines.training.augment`. Besides the labels they have
to tell continuous factors of the data set: an age teaches more than whether it is below a bound. With
``--reconstructions`` the attribute predictor also learns on what the pack's encoder and generator make of its training
pictures, so that it can judge edits.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.core.device import rough_dtype
from engines.data.dataset import Factor
from engines.data.sets import RenderedSet, rendered_set
from engines.imaging.convert import to_tensor, to_uint8
from engines.packs.registry import open_pack
from engines.predictors.attributes import AttributePredictor
from engines.predictors.identity import IdentityNetwork
from engines.predictors.perceptual import PerceptualNetwork
from engines.training.augment import degrade, jitter_crop, recolour
from engines.training.balance import balanced_accuracies, positive_weights
from engines.training.batches import JoinedPictures, PictureBatches, over_pictures
from engines.training.common import autocast
from engines.training.pack_definitions import PackDefinition
from engines.training.sheets import nearest, surest

__all__ = ["TASKS", "Task"]

_FACTOR_WEIGHT = 0.3
# Of held-out pictures, in sample pictures: rows, those that each is compared with, and those among which the surest are found.
_SHOWN, _COMPARED, _SEARCHED = 6, 24, 500


class Task:
    """A network with the head and data that train it."""

    kind: str
    data: str
    """What it is trained on, in words."""
    initialised_from = ""
    model: nn.Module
    head: nn.Module
    result: Any

    def parameters(self) -> list[nn.Parameter]:
        return [*self.model.parameters(), *self.head.parameters()]

    def loss(self, step: int, count: int, generator: torch.Generator) -> Tensor:
        raise NotImplementedError

    def finish(self) -> dict[str, Any]:
        """Held-out figures of `result`."""
        raise NotImplementedError

    def sheet(self) -> np.ndarray:
        """Held-out pictures beside what `result`, when finished, says of them: uint8 [H, W, 3]."""
        raise NotImplementedError

    def continue_from_pack(self, arguments: argparse.Namespace) -> None:
        """With --continue-weights the pack's present weights take the place of random ones."""
        if arguments.continue_weights:
            pack = open_pack(arguments.pack)
            self.model.load_state_dict(getattr(pack, self.kind).state_dict())
            self.initialised_from = f"the {self.kind.replace('_', ' ')} of the pack's weights {pack.weights_hash}"


class _Attributes(Task):
    kind = "attribute_predictor"

    def __init__(self, arguments: argparse.Namespace, row: PackDefinition, train: RenderedSet, validation: RenderedSet) -> None:
        torch.manual_seed(arguments.seed)
        self.data = f"{train.name} {train.split}, {len(train.images)} renders"
        self.model = AttributePredictor(train.attributes, row.predictor_channels, row.predictor_hidden)
        self.validation = validation
        images: Sequence[np.ndarray] = [train.images]
        labels = np.asarray(train.labels)
        mirror = train.data.may_mirror
        factors = _standardised(train, [factor for factor in train.data.factors if factor.survives_mirror or not mirror])
        self.head = nn.Linear(self.model.hidden.out_features, factors.shape[1])
        self.continue_from_pack(arguments)
        if arguments.reconstructions:
            pack = open_pack(arguments.pack)
            count = min(arguments.reconstructions, len(train.images))
            images = [train.images, _reconstruct(pack, train.images[:count])]
            labels = np.concatenate([labels, labels[:count]])
            factors = torch.cat([factors, factors[:count]])
            self.data += f" and {count} reconstructions"
        self.batches = PictureBatches(JoinedPictures(images), seed=arguments.seed, mirror=mirror)
        self.factors = factors
        self.labels = torch.from_numpy(labels.astype(np.float32))
        # Rare attributes count more, so that the threshold 0.5 balances both kinds of error.
        self.positive_weight = positive_weights(self.labels, power=0.8, least=0.3)

    def loss(self, step: int, count: int, generator: torch.Generator) -> Tensor:
        indices, images = self.batches.batch(step, count)
        images = degrade(recolour(jitter_crop(images, generator), generator), generator)
        with autocast():
            features = self.model.features(images)
            logits, factors = self.model.output(self.model.dropout(features)), self.head(features)
        classify = F.binary_cross_entropy_with_logits(logits.float(), self.labels[indices], pos_weight=self.positive_weight)
        return classify + _FACTOR_WEIGHT * F.mse_loss(factors.float(), self.factors[indices])

    def finish(self) -> dict[str, Any]:
        logits = over_pictures(self.result, self.validation.images)
        labels = np.asarray(self.validation.labels)
        self.result.temperature.copy_(_temperatures(logits, torch.from_numpy(labels).float()))
        accuracies = balanced_accuracies(logits, labels)
        named = {a: round(float(x), 4) for a, x in zip(self.result.attributes, accuracies, strict=True) if np.isfinite(x)}
        return {
            "balanced_accuracy_mean": float(np.nanmean(accuracies)),
            "balanced_accuracy_worst": float(np.nanmin(accuracies)),
            "balanced_accuracy": named,
        }

    def sheet(self) -> np.ndarray:
        images = self.validation.images[:_SEARCHED]
        return surest(self.result.attributes, over_pictures(self.result, images), lambda places: [images[i] for i in places])


class _Perceptual(Task):
    kind = "perceptual"

    def __init__(self, arguments: argparse.Namespace, row: PackDefinition, train: RenderedSet, validation: RenderedSet) -> None:
        torch.manual_seed(arguments.seed + 1)
        self.data = f"{train.name} {train.split}, {len(train.images)} renders"
        self.model = PerceptualNetwork(row.perceptual_channels)
        self.batches = PictureBatches(train.images, seed=arguments.seed + 1, mirror=False)
        self.labels = torch.from_numpy(_with_classes(train).astype(np.float32))
        self.factors = _standardised(train, train.data.factors)
        size = row.perceptual_channels[-1] * 16
        outputs = self.labels.shape[1] + self.factors.shape[1]
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(size, outputs))
        self.validation = validation

    def loss(self, step: int, count: int, generator: torch.Generator) -> Tensor:
        indices, images = self.batches.batch(step, count)
        images = degrade(images, generator)
        with autocast():
            output = self.head(self.model.trunk(images)[-1])
        logits, factors = output.float().split([self.labels.shape[1], self.factors.shape[1]], 1)
        classify = F.binary_cross_entropy_with_logits(logits, self.labels[indices])
        return classify + _FACTOR_WEIGHT * F.mse_loss(factors, self.factors[indices])

    def finish(self) -> dict[str, Any]:
        self.head.eval()
        output = over_pictures(lambda images: self.head(self.result.trunk(images)[-1]), self.validation.images)
        count = self.labels.shape[1]
        accuracies = balanced_accuracies(output[:, :count], _with_classes(self.validation))
        truth = _standardised(self.validation, self.validation.data.factors)
        # What is alike in all held-out pictures has nothing to be explained.
        varies = truth.var(0) > 0
        explained = 1 - (output[:, count:] - truth).square().mean(0)[varies] / truth.var(0)[varies]
        return {
            "perceptual_factor_r2_mean": float(explained.mean()),
            "perceptual_balanced_accuracy_mean": float(np.nanmean(accuracies)),
        }

    @torch.inference_mode()
    def sheet(self) -> np.ndarray:
        queries, others = (self.validation.images[part] for part in (slice(_SHOWN), slice(_SHOWN, _SHOWN + _COMPARED)))
        features = self.result.features(to_tensor(np.asarray(others)))
        pairs = [self.result.distance_to(query[None].expand(len(others), -1, -1, -1), features) for query in to_tensor(queries)]
        return nearest(queries, others, torch.stack(pairs))


class _Identity(Task):
    kind = "identity"
    _HELD_OUT = 500

    def __init__(self, arguments: argparse.Namespace, row: PackDefinition, train: RenderedSet, validation: RenderedSet) -> None:
        torch.manual_seed(arguments.seed + 2)
        self.model = IdentityNetwork(row.predictor_channels, 128)
        self.head = nn.ParameterDict({"log_temperature": nn.Parameter(torch.tensor(-2.0))})
        pairs = rendered_set(row.data, "reshoots", max(32, arguments.pictures // 4), progress=arguments.progress)
        self.first, self.second = train.images, pairs.images
        count = min(len(pairs.images), len(train.images))
        self.train_count = count - min(self._HELD_OUT, count // 8)
        self.batches = PictureBatches(train.images[: self.train_count], seed=arguments.seed + 2, mirror=False)
        self.count = count
        self.data = f"{self.train_count} pairs: {train.name} {train.split} and the same persons' reshoots"

    def loss(self, step: int, count: int, generator: torch.Generator) -> Tensor:
        indices, first = self.batches.batch(step, count)
        second = to_tensor(np.stack([self.second[i] for i in indices]))
        both = torch.cat([first, second])
        flips = torch.rand(len(both), generator=generator) < 0.5
        both = torch.where(flips[:, None, None, None], both.flip(3), both)
        both = degrade(recolour(jitter_crop(both, generator), generator), generator)
        with autocast():
            embeddings = self.model(both)
        a, b = embeddings.chunk(2)
        similarity = a @ b.t() / self.head["log_temperature"].exp()
        target = torch.arange(count)
        return 0.5 * (F.cross_entropy(similarity, target) + F.cross_entropy(similarity.t(), target))

    def finish(self) -> dict[str, Any]:
        held_out = slice(self.train_count, self.count)
        a, b = (over_pictures(self.result, images[held_out]) for images in (self.first, self.second))
        similarity = a @ b.t()
        same = similarity.diagonal()
        others = similarity[~torch.eye(len(a), dtype=torch.bool)]
        return {
            f"identity_rank1_of_{len(a)}": float((similarity.argmax(1) == torch.arange(len(a))).float().mean()),
            "identity_same_mean": float(same.mean()),
            "identity_different_mean": float(others.mean()),
        }

    def sheet(self) -> np.ndarray:
        persons, reshoots = (images[self.train_count : self.count] for images in (self.first, self.second))
        ours, theirs = (over_pictures(self.result, images) for images in (persons[:_SHOWN], reshoots))
        return nearest(persons[:_SHOWN], reshoots, -(ours @ theirs.t()))


TASKS: dict[str, type[Task]] = {"attributes": _Attributes, "perceptual": _Perceptual, "identity": _Identity}


def _standardised(rendered: RenderedSet, factors: Sequence[Factor]) -> Tensor:
    """The factors of every picture [N, F], each with mean 0 and standard deviation 1 over the set."""
    values = np.array([[factor.value(record) for factor in factors] for record in rendered.records], np.float32)
    return torch.from_numpy((values - values.mean(0)) / (values.std(0) + 1e-6))


def _with_classes(rendered: RenderedSet) -> np.ndarray:
    """The labels, followed by one column a class where the set has classes, bool [N, K + C]."""
    labels = np.asarray(rendered.labels, bool)
    if rendered.classes is None:
        return labels
    return np.concatenate([labels, np.eye(len(rendered.data.classes), dtype=bool)[rendered.classes]], 1)


@torch.inference_mode()
def _reconstruct(pack: Any, pictures: np.ndarray, size: int = 50) -> np.ndarray:
    """Encoder reconstructions, uint8 [N, R, R, 3]."""
    out = np.empty_like(np.asarray(pictures))
    for i in range(0, len(pictures), size):
        with autocast():
            codes = pack.encoder(to_tensor(np.asarray(pictures[i : i + size])))
        out[i : i + size] = to_uint8(pack.generator.synthesis(codes.float(), dtype=rough_dtype()))
    return out


def _temperatures(logits: Tensor, labels: Tensor) -> Tensor:
    """Per attribute the temperature of least cross-entropy on held-out pictures, by grid search, [K]."""
    grid = torch.logspace(-0.7, 0.9, 60)
    losses = torch.stack([F.binary_cross_entropy_with_logits(logits / t, labels, reduction="none").mean(0) for t in grid])
    return grid[losses.argmin(0)]

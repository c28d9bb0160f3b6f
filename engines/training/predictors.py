"""``train predictors``: the attribute predictor, the identity network and the perceptual network.

All three see rendered pictures only, through the degradations of :mod:`engines.training.augment`. With
``--reconstructions`` the attribute predictor also learns on what the pack's encoder and generator make of its
training pictures, so that it can judge edits.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.core.errors import OptionError
from engines.core.rng import torch_generator
from engines.data.sets import RenderedSet, rendered_set
from engines.imaging.convert import to_tensor, to_uint8
from engines.packs.registry import open_pack
from engines.packs.write import write_component
from engines.predictors.attributes import AttributePredictor
from engines.predictors.identity import IdentityNetwork
from engines.predictors.perceptual import PerceptualNetwork
from engines.training.augment import degrade, jitter_crop, recolour
from engines.training.balance import balanced_accuracies, positive_weights
from engines.training.batches import PictureBatches, over_pictures
from engines.training.common import (
    add_common_arguments,
    autocast,
    held_out_count,
    open_run,
    pack_folder,
    provenance,
    report_every,
    set_learning_rate,
)
from engines.training.ema import Ema
from engines.training.pack_definitions import ensure_pack, write_prevalence
from engines.training.runs import Run
from engines.training.schedule import Schedule, learning_rate

__all__ = ["HELP", "add_arguments", "run"]

HELP = "image attribute predictor, identity network and perceptual network"

_CHANNELS = (32, 64, 128, 192, 256)
_PERCEPTUAL_CHANNELS = (32, 64, 128, 192, 192)
_PEAK_RATE = 2e-3
# Shares of the budget; what is left out by --networks is not given to the others.
_SHARES = {"attributes": 0.5, "perceptual": 0.25, "identity": 0.25}
_BATCH = {"attributes": 64, "perceptual": 48, "identity": 48}

# Continuous factors that the perceptual network and the attribute predictor have to tell besides the attributes: an age
# teaches more than whether it is below a bound.
_FACTORS = [
    "gender",
    "age",
    "weight",
    "smile",
    "teeth_smile",
    "mouth_open",
    "eyes_closed",
    "squint",
    "brow_up",
    "frown",
    "sad",
    "melanin",
    "redness",
    "undereye",
    "makeup",
    "wrinkles",
    "brow_thick",
    "brow_dark",
    "length",
    "volume",
    "recede",
    "beard_len",
    "glasses_size",
    "yaw",
    "pitch",
    "roll",
    "zoom",
    "light_az",
    "light_el",
    "light_int",
    "warm",
    "ambient",
    "fill",
    "exposure",
    "contrast",
]
_FACTOR_WEIGHT = 0.3
# These change sign in a mirror, and the attribute predictor sees pictures mirrored.
_MIRRORED_FACTORS = ("yaw", "roll", "light_az")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, steps=6000)
    parser.add_argument(
        "--networks", default=",".join(_SHARES), help="which of attributes,perceptual,identity (comma separated)"
    )
    parser.add_argument(
        "--reconstructions",
        type=int,
        default=0,
        metavar="N",
        help="add N reconstructions to the attribute predictor's pictures",
    )
    parser.add_argument("--continue-weights", action="store_true", help="start from the pack's present weights")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains the chosen networks one after the other and writes them into the pack."""
    networks = [n for n in arguments.networks.split(",") if n]
    unknown = sorted(set(networks) - set(_SHARES))
    if unknown or not networks:
        raise OptionError(f"--networks takes {', '.join(_SHARES)}; got {arguments.networks!r}.")
    extra = {"networks": networks, "reconstructions": arguments.reconstructions, "continue_weights": arguments.continue_weights}
    training, schedule = open_run(arguments, "predictors", extra)
    name = arguments.pack
    train = rendered_set(name, "train", arguments.pictures, progress=arguments.progress)
    validation = rendered_set(name, "validation", held_out_count(arguments), progress=arguments.progress)
    ensure_pack(pack_folder(arguments))
    write_prevalence(pack_folder(arguments), dict(zip(train.attributes, np.asarray(train.labels).mean(0), strict=True)))
    metrics: dict[str, Any] = {}
    state = training.load_checkpoint() or {}
    for network in networks:
        task = _TASKS[network](arguments, train, validation)
        done = state.get("done", {})
        if network in done:
            metrics |= done[network]
            continue
        images_seen = _fit(task, network, training, schedule.share(_SHARES[network]), arguments, state)
        figures = task.finish()
        training.log(network=network, **{k: v for k, v in figures.items() if isinstance(v, float)})
        source = provenance(
            arguments,
            images_seen=images_seen,
            data=task.data,
            data_licence=train.licence,
            metrics=figures,
            initialised_from=task.initialised_from,
        )
        write_component(pack_folder(arguments), task.kind, task.result, task.result.config_json(), source, half=True)
        metrics |= figures
        state = {"done": {**done, network: figures}}
        training.save_checkpoint(state)
    return {"run": str(training.folder), "best": str(pack_folder(arguments)), "metrics": metrics}


def _fit(
    task: _Task, network: str, training: Run, schedule: Schedule, arguments: argparse.Namespace, state: dict[str, Any]
) -> int:
    """The loop that all three tasks share; returns the pictures seen."""
    batch = _BATCH[network]
    optimiser = torch.optim.AdamW(task.parameters(), lr=_PEAK_RATE, betas=(0.9, 0.98), weight_decay=1e-2, fused=True)
    ema = Ema(task.model, half_life_steps=200)
    step, seconds_before = 0, 0.0
    if state.get("network") == network:
        task.model.load_state_dict(state["model"])
        task.head.load_state_dict(state["head"])
        ema.model.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        step, seconds_before = state["step"], state["stage_seconds"]
    begun = training.seconds - seconds_before
    report = report_every(arguments, f"Training the {network} network", schedule)
    task.model.train()
    while (fraction := schedule.fraction(step, training.seconds - begun)) < 1:
        set_learning_rate(optimiser, learning_rate(_PEAK_RATE, fraction))
        loss = task.loss(step, batch, torch_generator(arguments.seed, 7, step))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        ema.update(task.model)
        step += 1
        report(step, training.seconds - begun, loss.item())
        if step % 100 == 0:
            training.log(network=network, step=step, loss=loss.item())
        if step % 500 == 0:
            moment = {
                "network": network,
                "step": step,
                "stage_seconds": training.seconds - begun,
                "done": state.get("done", {}),
            }
            weights = {"model": task.model.state_dict(), "head": task.head.state_dict(), "ema": ema.model.state_dict()}
            training.save_checkpoint({**moment, **weights, "optimiser": optimiser.state_dict()})
    task.result = ema.model.eval()
    return step * batch


class _Task:
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


class _Attributes(_Task):
    kind = "attribute_predictor"

    def __init__(self, arguments: argparse.Namespace, train: RenderedSet, validation: RenderedSet) -> None:
        torch.manual_seed(arguments.seed)
        self.data = f"{train.name} {train.split}, {len(train.images)} renders"
        self.model = AttributePredictor(train.attributes, _CHANNELS, 256)
        self.validation = validation
        images: Sequence[np.ndarray] = [train.images]
        labels = np.asarray(train.labels)
        factors = _standardised_factors(train, [name for name in _FACTORS if name not in _MIRRORED_FACTORS])
        self.head = nn.Linear(self.model.hidden.out_features, factors.shape[1])
        if arguments.reconstructions or arguments.continue_weights:
            pack = open_pack(arguments.pack)
        if arguments.continue_weights:
            self.model.load_state_dict(pack.attribute_predictor.state_dict())
            self.initialised_from = f"the attribute predictor of the pack's weights {pack.weights_hash}"
        if arguments.reconstructions:
            count = min(arguments.reconstructions, len(train.images))
            images = [train.images, _reconstruct(pack, train.images[:count])]
            labels = np.concatenate([labels, labels[:count]])
            factors = torch.cat([factors, factors[:count]])
            self.data += f" and {count} reconstructions"
        self.batches = PictureBatches(_Joined(images), seed=arguments.seed)
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


class _Perceptual(_Task):
    kind = "perceptual"

    def __init__(self, arguments: argparse.Namespace, train: RenderedSet, validation: RenderedSet) -> None:
        torch.manual_seed(arguments.seed + 1)
        self.data = f"{train.name} {train.split}, {len(train.images)} renders"
        self.model = PerceptualNetwork(_PERCEPTUAL_CHANNELS)
        self.batches = PictureBatches(train.images, seed=arguments.seed + 1, mirror=False)
        self.labels = torch.from_numpy(np.asarray(train.labels).astype(np.float32))
        self.factors = _standardised_factors(train, _FACTORS)
        size = _PERCEPTUAL_CHANNELS[-1] * 16
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(size, self.labels.shape[1] + len(_FACTORS)))
        self.validation = validation

    def loss(self, step: int, count: int, generator: torch.Generator) -> Tensor:
        indices, images = self.batches.batch(step, count)
        images = degrade(images, generator)
        with autocast():
            output = self.head(self.model.trunk(images)[-1])
        logits, factors = output.float().split([self.labels.shape[1], len(_FACTORS)], 1)
        classify = F.binary_cross_entropy_with_logits(logits, self.labels[indices])
        return classify + _FACTOR_WEIGHT * F.mse_loss(factors, self.factors[indices])

    def finish(self) -> dict[str, Any]:
        self.head.eval()
        output = over_pictures(lambda images: self.head(self.result.trunk(images)[-1]), self.validation.images)
        count = self.labels.shape[1]
        accuracies = balanced_accuracies(output[:, :count], np.asarray(self.validation.labels))
        truth = _standardised_factors(self.validation, _FACTORS)
        explained = 1 - (output[:, count:] - truth).square().mean(0) / truth.var(0)
        return {
            "perceptual_factor_r2_mean": float(explained.mean()),
            "perceptual_balanced_accuracy_mean": float(np.nanmean(accuracies)),
        }


class _Identity(_Task):
    kind = "identity"
    _HELD_OUT = 500

    def __init__(self, arguments: argparse.Namespace, train: RenderedSet, validation: RenderedSet) -> None:
        torch.manual_seed(arguments.seed + 2)
        self.model = IdentityNetwork(_CHANNELS, 128)
        self.head = nn.ParameterDict({"log_temperature": nn.Parameter(torch.tensor(-2.0))})
        pairs = rendered_set(arguments.pack, "reshoots", max(32, arguments.pictures // 4), progress=arguments.progress)
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


_TASKS: dict[str, type[_Task]] = {"attributes": _Attributes, "perceptual": _Perceptual, "identity": _Identity}


class _Joined:
    """Several picture arrays behind one index."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(p) for p in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> np.ndarray:
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._parts[part][index - self._starts[part]]


def _standardised_factors(rendered: RenderedSet, names: Sequence[str]) -> Tensor:
    """The named factors of every portrait [N, F], each with mean 0 and standard deviation 1 over the set."""
    factors = np.array([[float(getattr(portrait, name)) for name in names] for portrait in rendered.portraits], np.float32)
    return torch.from_numpy((factors - factors.mean(0)) / (factors.std(0) + 1e-6))


@torch.inference_mode()
def _reconstruct(pack: Any, pictures: np.ndarray, size: int = 50) -> np.ndarray:
    """Encoder reconstructions, uint8 [N, R, R, 3]."""
    out = np.empty_like(np.asarray(pictures))
    for i in range(0, len(pictures), size):
        with autocast():
            codes = pack.encoder(to_tensor(np.asarray(pictures[i : i + size])))
        out[i : i + size] = to_uint8(pack.generator.synthesis(codes.float(), dtype=torch.bfloat16))
    return out


def _temperatures(logits: Tensor, labels: Tensor) -> Tensor:
    """Per attribute the temperature of least cross-entropy on held-out pictures, by grid search, [K]."""
    grid = torch.logspace(-0.7, 0.9, 60)
    losses = torch.stack([F.binary_cross_entropy_with_logits(logits / t, labels, reduction="none").mean(0) for t in grid])
    return grid[losses.argmin(0)]

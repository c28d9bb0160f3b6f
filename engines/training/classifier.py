"""``train classifier``: the latent classifier F, which tells a code's attributes without making its picture.

An MLP on W+ codes of training pictures, with leaky ReLU and binary cross-entropy, as in Yao et al. 2021. Theirs has widths of
2,048 and 512 and is trained by Adam at 1e-4 with a weight decay of 5e-4. This one departs in

    widths        256 and 64, for codes of about 2,000 numbers instead of 9,216
    optimiser     AdamW: its decay, 5e-4 times the learning rate a step, is no part of the gradient, and next to none
    rate          5e-4 after a warm-up, then down by a cosine: there are minutes on two cores, 1,500 steps of 256 codes
    loss          rare attributes count more, so that the threshold 0.5 balances both kinds of error
    codes         with noise, since the classifier is asked about codes that an edit or a refinement has moved
    what is kept  the weights of the least held-out loss, looked at every 50 steps
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engines.core.arguments import bounded_ints
from engines.core.rng import numpy_generator
from engines.imaging.convert import to_uint8
from engines.packs.load import Pack
from engines.packs.registry import open_pack
from engines.packs.write import write_component
from engines.predictors.latent_classifier import LatentClassifier
from engines.training.balance import balanced_accuracies, positive_weights
from engines.training.codes import CodeSet, code_set
from engines.training.common import (
    add_common_arguments,
    held_out_count,
    open_run,
    pack_folder,
    provenance,
    report_every,
    set_learning_rate,
)
from engines.training.runs import Run
from engines.training.schedule import Schedule, learning_rate
from engines.training.sheets import surest

__all__ = ["HELP", "add_arguments", "fit_classifier", "run"]

HELP = "latent classifier on the codes of rendered pictures"

_BATCH = 256
_PEAK_RATE = 5e-4
_WEIGHT_DECAY = 5e-4
_CHECK_STEPS = 50
_MOST_WIDTH = 65_536
_SEARCHED = 500
"""Held-out codes among which the surest are found for the sample picture."""
# In standard deviations of the codes.
_NOISE = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, steps=1500)
    widths = bounded_ints(1, _MOST_WIDTH)
    parser.add_argument("--hidden", type=widths, default=(256, 64), metavar="N,N", help="hidden widths (default 256,64)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains on codes of the training pictures, and of their mirror images where they may be; writes ``latent_classifier``."""
    pack = open_pack(arguments.pack)
    training, schedule = open_run(arguments, "classifier", {"hidden": arguments.hidden})
    train = code_set(pack, "train", arguments.pictures, mirrored=True, progress=arguments.progress)
    validation = code_set(pack, "validation", held_out_count(arguments), progress=arguments.progress)
    report = report_every(arguments, "Training the latent classifier", schedule)
    classifier, steps = fit_classifier(
        train, validation, arguments.hidden, training=training, schedule=schedule, seed=arguments.seed, report=report
    )
    metrics = _figures(classifier, validation, training)
    training.picture("attributes", _sheet(pack, classifier, validation))
    source = provenance(
        arguments,
        images_seen=steps * _BATCH,
        data=train.origin,
        data_licence=train.data_licence,
        metrics=metrics,
    )
    write_component(pack_folder(arguments), "latent_classifier", classifier, classifier.config_json(), source, half=True)
    return {"run": str(training.folder), "best": str(pack_folder(arguments)), "metrics": metrics}


def fit_classifier(
    train: CodeSet,
    validation: CodeSet,
    hidden: Sequence[int],
    *,
    training: Run,
    schedule: Schedule,
    seed: int,
    report: Callable[[int, float, float], None],
) -> tuple[LatentClassifier, int]:
    """The classifier of the least held-out loss, in evaluation mode, and the steps that were made.

    hidden: hidden widths. training: its checkpoint is gone on with where there is one.
    report: hears the step, the seconds so far and the loss.
    """
    classifier = _fresh(train, hidden, seed)
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=_PEAK_RATE, weight_decay=_WEIGHT_DECAY)
    labels = torch.from_numpy(train.labels.astype(np.float32))
    weight = positive_weights(labels)
    best = {"loss": float("inf"), "weights": copy.deepcopy(classifier.state_dict())}
    step, before = 0, 0.0
    if state := training.load_checkpoint():
        classifier.load_state_dict(state["classifier"])
        optimiser.load_state_dict(state["optimiser"])
        best, step, before = state["best"], state["step"], state["stage_seconds"]
    begun = training.seconds - before
    while (fraction := schedule.fraction(step, training.seconds - begun)) < 1:
        set_learning_rate(optimiser, learning_rate(_PEAK_RATE, fraction))
        draw = numpy_generator(seed, 41, step)
        indices = torch.from_numpy(draw.integers(len(train), size=_BATCH))
        noise = torch.from_numpy(draw.standard_normal((_BATCH, *train.codes.shape[1:]), dtype=np.float32))
        logits = classifier(train.codes[indices] + _NOISE * classifier.deviation * noise)
        loss = F.binary_cross_entropy_with_logits(logits, labels[indices], pos_weight=weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step += 1
        report(step, training.seconds - begun, loss.item())
        if step % _CHECK_STEPS == 0:
            best = _better(classifier, validation, weight, best)
            training.log(step=step, loss=loss.item(), held_out_loss_least=best["loss"])
            weights = {"classifier": classifier.state_dict(), "optimiser": optimiser.state_dict()}
            training.save_checkpoint({"step": step, "stage_seconds": training.seconds - begun, "best": best, **weights})
    best = _better(classifier, validation, weight, best)
    classifier.load_state_dict(best["weights"])
    return classifier.eval(), step


def _fresh(train: CodeSet, hidden: Sequence[int], seed: int) -> LatentClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = LatentClassifier(train.attributes, *train.codes.shape[1:], hidden)
    mean = train.codes.mean(0)
    classifier.mean.copy_(mean)
    classifier.deviation.copy_((train.codes - mean).square().mean().sqrt())
    return classifier


@torch.no_grad()
def _better(classifier: LatentClassifier, validation: CodeSet, weight: Tensor, best: dict[str, Any]) -> dict[str, Any]:
    """`best`, or the present state where its held-out loss is lower."""
    labels = torch.from_numpy(validation.labels.astype(np.float32))
    loss = F.binary_cross_entropy_with_logits(classifier(validation.codes), labels, pos_weight=weight).item()
    return best if loss >= best["loss"] else {"loss": loss, "weights": copy.deepcopy(classifier.state_dict())}


@torch.no_grad()
def _figures(classifier: LatentClassifier, validation: CodeSet, training: Run) -> dict[str, Any]:
    accuracies = balanced_accuracies(classifier(validation.codes), validation.labels)
    named = {a: round(float(x), 4) for a, x in zip(validation.attributes, accuracies, strict=True) if np.isfinite(x)}
    training.log(**{f"balanced_accuracy_{a}": x for a, x in named.items()})
    return {"balanced_accuracy_mean": float(np.nanmean(accuracies)), "balanced_accuracy": named}


@torch.inference_mode()
def _sheet(pack: Pack, classifier: LatentClassifier, validation: CodeSet) -> np.ndarray:
    """What the generator makes of the held-out codes that are said surest to lack and to have each attribute."""
    codes = validation.codes[:_SEARCHED]

    def pictures(places: Sequence[int]) -> list[np.ndarray]:
        return list(to_uint8(pack.generator.synthesis(codes[list(places)], noise_mode="const")))

    return surest(classifier.attributes, classifier(codes), pictures)

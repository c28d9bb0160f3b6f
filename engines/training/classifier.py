"""``train classifier``: the latent classifier F, which tells a code's attributes without making its picture.

Yao et al. 2021: an MLP on W+ codes of real pictures, binary cross-entropy, Adam with weight decay. Rare attributes count
more, so that the threshold 0.5 balances both kinds of error; the epoch of the least held-out loss is kept.
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

from engines.core.rng import numpy_generator
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

__all__ = ["HELP", "add_arguments", "fit_classifier", "run"]

HELP = "latent classifier on the codes of rendered pictures"

_BATCH = 256
_PEAK_RATE = 5e-4
_WEIGHT_DECAY = 5e-4
_CHECK_STEPS = 50
# Standard deviations of the codes' own scale: the classifier must hold on codes that an edit or a refinement has moved.
_NOISE = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, steps=1500)
    parser.add_argument("--hidden", default="256,64", metavar="N,N", help="hidden widths (default 256,64)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains on codes of the training pictures, and of their mirror images where they may be; writes ``latent_classifier``."""
    hidden = [int(h) for h in arguments.hidden.split(",")]
    training, schedule = open_run(arguments, "classifier", {"hidden": hidden})
    pack = open_pack(arguments.pack)
    train = code_set(pack, "train", arguments.pictures, mirrored=True, progress=arguments.progress)
    validation = code_set(pack, "validation", held_out_count(arguments), progress=arguments.progress)
    report = report_every(arguments, "Training the latent classifier", schedule)
    classifier, steps = fit_classifier(
        train, validation, hidden, training=training, schedule=schedule, seed=arguments.seed, report=report
    )
    metrics = _figures(classifier, validation, training)
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

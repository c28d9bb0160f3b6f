"""``train predictors``: attribute predictor, perceptual network, and what else the pack's definition names: the identity
network of a pack of persons, class predictor and box detector of a pack of objects.

What each learns is in :mod:`engines.training.predictor_tasks` and :mod:`engines.training.object_tasks`; here is the loop that
they share.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

from engines.core.arguments import bounded_int
from engines.core.errors import OptionError
from engines.core.rng import torch_generator
from engines.data.sets import rendered_set
from engines.packs.write import write_component
from engines.training.common import (
    add_common_arguments,
    held_out_count,
    open_run,
    pack_folder,
    provenance,
    report_every,
    set_learning_rate,
)
from engines.training.ema import Ema
from engines.training.object_statistics import write_object_statistics
from engines.training.object_tasks import OBJECT_TASKS
from engines.training.pack_definitions import definition, ensure_pack, write_prevalence
from engines.training.predictor_tasks import TASKS, Task
from engines.training.runs import Run
from engines.training.schedule import Schedule, learning_rate

__all__ = ["HELP", "add_arguments", "run", "train_task"]

HELP = "image networks: attributes, perceptual distance, identity, classes, boxes"

_PEAK_RATE = 2e-3
# Shares of the budget among the networks of a pack; what is left out by --networks is not given to the others.
_SHARES = {"attributes": 0.5, "perceptual": 0.25, "identity": 0.25, "classes": 0.6, "boxes": 0.4}
_BATCH = {"attributes": 64, "perceptual": 48, "identity": 48, "classes": 64, "boxes": 64}
_TASKS = {**TASKS, **OBJECT_TASKS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, steps=6000)
    parser.add_argument(
        "--networks", default=None, help=f"which of {','.join(_SHARES)} (comma separated; default: all that the pack has)"
    )
    parser.add_argument(
        "--reconstructions",
        type=bounded_int(0),
        default=0,
        metavar="N",
        help="add N reconstructions to the attribute predictor's pictures",
    )
    parser.add_argument(
        "--continue-weights",
        action="store_true",
        help="start attribute and class predictor and box detector from the pack's present weights",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains the chosen networks one after the other and writes them into the pack."""
    row = definition(arguments.pack)
    networks = _chosen(arguments.networks, row.networks)
    extra = {"networks": networks, "reconstructions": arguments.reconstructions, "continue_weights": arguments.continue_weights}
    training, schedule = open_run(arguments, "predictors", extra)
    train = rendered_set(row.data, "train", arguments.pictures, progress=arguments.progress)
    validation = rendered_set(row.data, "validation", held_out_count(arguments), progress=arguments.progress)
    ensure_pack(pack_folder(arguments))
    write_prevalence(pack_folder(arguments), dict(zip(train.attributes, np.asarray(train.labels).mean(0), strict=True)))
    metrics: dict[str, Any] = {}
    state = training.load_checkpoint() or {}
    whole = sum(_SHARES[network] for network in row.networks)
    for network in networks:
        task = _TASKS[network](arguments, row, train, validation)
        done = state.get("done", {})
        if network in done:
            metrics |= done[network]
            continue
        share = schedule.share(_SHARES[network] / whole)
        figures = train_task(task, network, _BATCH[network], training, share, arguments, state, data_licence=train.licence)
        metrics |= figures
        state = {"done": {**done, network: figures}}
        training.save_checkpoint(state)
    if "boxes" in networks:
        write_object_statistics(arguments.pack, seed=arguments.seed)
    return {"run": str(training.folder), "best": str(pack_folder(arguments)), "metrics": metrics}


def _chosen(names: str | None, known: tuple[str, ...]) -> list[str]:
    networks = list(known) if names is None else [n for n in names.split(",") if n]
    unknown = sorted(set(networks) - set(known))
    if unknown or not networks:
        raise OptionError(f"--networks takes {', '.join(known)} for this pack; got {names!r}.")
    return networks


def train_task(
    task: Task,
    network: str,
    batch: int,
    training: Run,
    schedule: Schedule,
    arguments: argparse.Namespace,
    state: dict[str, Any],
    *,
    data_licence: str,
) -> dict[str, Any]:
    """Trains one network, from the checkpoint `state` on, and writes it into the pack; returns its held-out figures."""
    images_seen = _fit(task, network, batch, training, schedule, arguments, state)
    figures = task.finish()
    training.picture(network, task.sheet())
    training.log(network=network, **{k: v for k, v in figures.items() if isinstance(v, float)})
    source = provenance(
        arguments,
        images_seen=images_seen,
        data=task.data,
        data_licence=data_licence,
        metrics=figures,
        initialised_from=task.initialised_from,
    )
    write_component(pack_folder(arguments), task.kind, task.result, task.result.config_json(), source, half=True)
    return figures


def _fit(
    task: Task,
    network: str,
    batch: int,
    training: Run,
    schedule: Schedule,
    arguments: argparse.Namespace,
    state: dict[str, Any],
) -> int:
    """The loop that all tasks share, from the checkpoint `state` on; returns the pictures seen."""
    optimiser = torch.optim.AdamW(task.parameters(), lr=_PEAK_RATE, betas=(0.9, 0.98), weight_decay=1e-2, fused=True)
    ema = Ema(task.model, half_life_steps=200)
    step, seconds_before = 0, 0.0
    if state.get("network") == network:
        task.model.load_state_dict(state["model"])
        task.head.load_state_dict(state["head"])
        ema.load_state_dict(state["ema"])
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
            weights = {"model": task.model.state_dict(), "head": task.head.state_dict(), "ema": ema.state_dict()}
            training.save_checkpoint({**moment, **weights, "optimiser": optimiser.state_dict()})
    task.result = ema.model.eval()
    return step * batch

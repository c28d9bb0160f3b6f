"""``train gan``: generator, discriminator, first encoder and latent statistics of a pack.

Three stages, each resumable: autoencoding (:mod:`engines.training.autoencoding`), the mapping network's fit
(:mod:`engines.training.mapping_fit`) and adversarial training (:mod:`engines.training.adversarial`).
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engines.core.arguments import bounded_float
from engines.core.errors import OptionError, RunError
from engines.core.paths import packs_dir
from engines.data.sets import rendered_set
from engines.encoders.w_plus import WPlusEncoder
from engines.generators.stylegan2 import Discriminator, Generator
from engines.packs.manifest import MANIFEST_NAME
from engines.packs.registry import open_pack
from engines.packs.write import write_component
from engines.training.adversarial import train_adversarial
from engines.training.autoencoding import Autoencoder, held_out_mse, train_autoencoder
from engines.training.batches import class_labels, over_pictures
from engines.training.common import add_common_arguments, autocast, freeze, held_out_count, open_run, pack_folder, provenance
from engines.training.mapping_fit import fit_mapping
from engines.training.object_statistics import write_object_statistics
from engines.training.pack_definitions import PackDefinition, definition, ensure_pack
from engines.training.runs import Run
from engines.training.schedule import Schedule
from engines.training.statistics import STATISTICS_PICTURES, class_statistics, latent_statistics

__all__ = ["HELP", "add_arguments", "run"]

HELP = "generator, discriminator, first encoder and latent statistics"

_SHARES = {"autoencoding": 0.6, "mapping": 0.1, "adversarial": 0.3}
_SCRATCH_RATES = (2e-2, 1e-3)
_CONTINUED_RATES = (6e-3, 7e-4)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, steps=40000)
    parser.add_argument(
        "--init", default=None, metavar="FILE", help="start from an autoencoder's weights (generator.*, encoder.*; safetensors)"
    )
    parser.add_argument("--from-pack", action="store_true", help="start from the pack's present generator and encoder")
    for stage, share in _SHARES.items():
        parser.add_argument(
            f"--{stage}-share",
            type=bounded_float(0, 1),
            default=share,
            help=f"share of the budget for this stage (default {share}; 0 skips it)",
        )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains the stages in order and writes the components."""
    if arguments.init and arguments.from_pack:
        raise OptionError("--init and --from-pack exclude each other.")
    row = definition(arguments.pack)
    shares = {stage: getattr(arguments, f"{stage}_share") for stage in _SHARES}
    if not (arguments.init or arguments.from_pack or shares["autoencoding"] or shares["adversarial"]):
        raise OptionError(
            "--autoencoding-share 0 and --adversarial-share 0 leave random weights; start from others by --from-pack or --init."
        )
    # What is missing is told here, and not after hours of rendering.
    perceptual, start = _perceptual(arguments.pack), _Start.of(arguments, row)
    training, schedule = open_run(
        arguments, "gan", {"init": arguments.init, "from_pack": arguments.from_pack, "shares": shares}
    )
    stages = _Stages(
        arguments,
        row,
        perceptual,
        start,
        training,
        {stage: schedule.share(shares[stage]) for stage in _SHARES if shares[stage] > 0},
    )
    stages.autoencode()
    codes = stages.statistics_codes()
    stages.fit_mapping()
    stages.train_adversarially()
    metrics = stages.write(codes)
    write_object_statistics(arguments.pack, seed=arguments.seed)
    return {"run": str(training.folder), "best": str(pack_folder(arguments)), "metrics": metrics}


class _Stages:
    """The stages of a run on the same pictures and networks; each leaves a checkpoint that the next one starts from."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        row: PackDefinition,
        perceptual: Any,
        start: _Start,
        training: Run,
        schedules: Mapping[str, Schedule],
    ) -> None:
        """perceptual: the pack's network. schedules: by stage; one without is skipped."""
        self._arguments, self._row, self._training, self._schedules = arguments, row, training, schedules
        self._train = rendered_set(row.data, "train", arguments.pictures, progress=arguments.progress)
        validation = rendered_set(row.data, "validation", held_out_count(arguments), progress=arguments.progress)
        self._held_out, self._labels = np.asarray(validation.images[:400]), class_labels(self._train)
        ensure_pack(pack_folder(arguments))
        self._common = {
            "images": self._train.images,
            "mirror": self._train.data.may_mirror,
            "held_out": self._held_out,
            "perceptual": perceptual,
            "weight_map": row.weight_map(row.generator.resolution),
            "run": training,
            "arguments": arguments,
        }
        self._model, self._discriminator, self._initialised_from = start.model, start.discriminator, start.source
        self._state = training.load_checkpoint() or {}
        if "g" in self._state:
            self._model.load(self._state)
        self._stage = self._state.get("stage", "autoencoding")
        self._seen: dict[str, int] = dict(self._state.get("seen", {}))
        self._figures: dict[str, float] = dict(self._state.get("mapping_figures", {}))

    def autoencode(self) -> None:
        if self._stage != "autoencoding" or "autoencoding" not in self._schedules:
            return
        row, fresh = self._row, not self._initialised_from
        self._seen["autoencoding"] = train_autoencoder(
            self._model,
            rates=_SCRATCH_RATES if fresh else _CONTINUED_RATES,
            grow_from_px=row.encoder.coarsest_input_px if fresh else row.generator.resolution,
            schedule=self._schedules["autoencoding"],
            state=self._state,
            **self._common,
        )
        _restart_from_averages(self._model)
        self._enter("mapping")

    def statistics_codes(self) -> Tensor:
        """Codes of the pictures that the latent statistics are taken from, [n, L, D]."""
        with autocast():
            return over_pictures(self._model.encoder_ema.model.eval(), self._train.images[:STATISTICS_PICTURES])

    def fit_mapping(self) -> None:
        if self._stage == "adversarial" or "mapping" not in self._schedules:
            return
        model, train, labels = self._model, self._train, self._labels
        encoder = model.encoder_ema.model.eval()
        sides = (False, True) if train.data.may_mirror else (False,)
        with autocast():
            codes = [over_pictures(lambda x: encoder(x).mean(1), train.images, mirrored=side) for side in sides]
        gated = train.labels[:, [train.attributes.index(name) for name in self._row.generator.gates]]
        self._figures = fit_mapping(
            model.generator,
            torch.cat(codes),
            labels.repeat(len(sides), 1),
            torch.from_numpy(gated).float().repeat(len(sides), 1),
            schedule=self._schedules["mapping"],
            run=self._training,
            arguments=self._arguments,
        )
        model.generator_ema.model.mapping.load_state_dict(model.generator.mapping.state_dict())
        self._training.log(stage="mapping", **self._figures)
        self._enter("adversarial", mapping_figures=self._figures)

    def train_adversarially(self) -> None:
        if "adversarial" not in self._schedules:
            return
        self._seen["adversarial"] = train_adversarial(
            self._model,
            self._discriminator,
            labels=self._labels,
            schedule=self._schedules["adversarial"],
            state=self._state,
            **self._common,
        )

    def write(self, codes: Tensor) -> dict[str, float]:
        """Writes what this run trained, the rest keeps its own provenance; returns the metrics. codes: statistics_codes."""
        generator, encoder = self._model.generator_ema.model, self._model.encoder_ema.model
        metrics = {"held_out_mse_median": held_out_mse(encoder, generator, self._held_out), **self._figures}
        source = provenance(
            self._arguments,
            images_seen=sum(self._seen.values()),
            data=f"{self._row.data} train, {len(self._train.images)} renders",
            data_licence=self._train.licence,
            metrics=metrics,
            initialised_from=self._initialised_from,
        )
        statistics = {**latent_statistics(generator.mapping.w_avg, codes), **class_statistics(generator)}
        parts: dict[str, Any] = {"generator": generator, "statistics": statistics}
        if "autoencoding" in self._schedules:
            parts["encoder"] = encoder
        if "adversarial" in self._schedules:
            parts["discriminator"] = self._discriminator
        for kind, part in parts.items():
            config = {} if kind == "statistics" else part.config_json()
            write_component(pack_folder(self._arguments), kind, part, config, source, half=True)
        return metrics

    def _enter(self, stage: str, **further: Any) -> None:
        """Leaves a checkpoint before the first step of a stage."""
        self._stage, self._state = stage, {"stage": stage, "seen": self._seen, **further, **self._model.state()}
        self._training.save_checkpoint(self._state)


def _perceptual(pack_id: str) -> Any:
    """The pack's perceptual network. Raises RunError where it is not trained yet: it is a part of the loss."""
    if not (packs_dir() / pack_id / MANIFEST_NAME).is_file() or not open_pack(pack_id).has("perceptual"):
        raise RunError(f"Train the perceptual network first: python -m engines train predictors --pack {pack_id}.")
    return freeze(open_pack(pack_id).perceptual)


@dataclass(frozen=True, eq=False)
class _Start:
    """The networks as the training finds them."""

    model: Autoencoder
    discriminator: Discriminator
    source: str
    """Where their weights are from, for the provenance; empty for random ones."""

    @classmethod
    def of(cls, arguments: argparse.Namespace, row: PackDefinition) -> _Start:
        """What --init or --from-pack ask for, else random networks. Raises OptionError for weights that do not fit."""
        generator = Generator(row.generator, seed=arguments.seed)
        torch.manual_seed(arguments.seed)
        model = Autoencoder.of(generator, WPlusEncoder(row.encoder))
        discriminator = Discriminator(row.discriminator, seed=arguments.seed)
        return cls(model, discriminator, _initialise(arguments, model, discriminator))


def _read_init(path: Path) -> dict[str, Tensor]:
    """The tensors of --init. Raises OptionError that names the file."""
    if not path.is_file():
        raise OptionError(f"--init {path}: there is no such file.")
    try:
        return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in load_file(path).items()}
    except (OSError, ValueError, SafetensorError) as error:
        raise OptionError(f"--init {path}: it is no file of safetensors, or damaged.") from error


def _initialise(arguments: argparse.Namespace, model: Autoencoder, discriminator: Discriminator) -> str:
    """Loads starting weights into networks and averages; returns a sentence for the provenance, empty for a fresh start."""
    if arguments.from_pack:
        pack = open_pack(arguments.pack)
        generator_state, encoder_state = pack.generator.state_dict(), pack.encoder.state_dict()
        if pack.has("discriminator"):
            discriminator.load_state_dict(pack.discriminator.state_dict())
        source = f"the pack's weights {pack.weights_hash}"
    elif arguments.init:
        path = Path(arguments.init)
        weights = _read_init(path)
        generator_state = {k.removeprefix("generator."): v for k, v in weights.items() if k.startswith("generator.")}
        encoder_state = {k.removeprefix("encoder."): v for k, v in weights.items() if k.startswith("encoder.")}
        source = f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()})"
    else:
        return ""
    mapping = model.generator.mapping.state_dict()
    given = {name.removeprefix("mapping."): tensor for name, tensor in generator_state.items() if name.startswith("mapping.")}
    if {name: tensor.shape for name, tensor in given.items()} != {name: tensor.shape for name, tensor in mapping.items()}:
        if not arguments.mapping_share:
            raise OptionError("The starting mapping network has other sizes; give --mapping-share, so that one is fitted.")
        generator_state = {name: tensor for name, tensor in generator_state.items() if not name.startswith("mapping.")}
        generator_state |= {f"mapping.{name}": tensor for name, tensor in mapping.items()}
    for network, state in ((model.generator, generator_state), (model.encoder, encoder_state)):
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            option = f"--init {arguments.init}" if arguments.init else "--from-pack"
            name = type(network).__name__
            raise OptionError(
                f"{option}: its weights are not those of this pack's networks ({name}: other names or sizes)."
            ) from error
    for average, network in ((model.generator_ema, model.generator), (model.encoder_ema, model.encoder)):
        average.model.load_state_dict(network.state_dict())
    return source


def _restart_from_averages(model: Autoencoder) -> None:
    """Later stages go on from the averaged weights, which are the better ones."""
    model.generator.load_state_dict(model.generator_ema.model.state_dict())
    model.encoder.load_state_dict(model.encoder_ema.model.state_dict())

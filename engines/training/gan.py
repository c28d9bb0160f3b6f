"""``train gan``: generator, discriminator, first encoder and latent statistics of a pack.

Three stages, each resumable: autoencoding (:mod:`engines.training.autoencoding`), the mapping network's fit
(:mod:`engines.training.mapping_fit`) and adversarial training (:mod:`engines.training.adversarial`).
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from engines.core.errors import OptionError, RunError
from engines.data.sets import rendered_set
from engines.encoders.w_plus import WPlusEncoder
from engines.generators.stylegan2 import Discriminator, Generator
from engines.packs.registry import open_pack
from engines.packs.write import write_component
from engines.training.adversarial import train_adversarial
from engines.training.autoencoding import Autoencoder, held_out_mse, train_autoencoder
from engines.training.batches import class_labels, over_pictures
from engines.training.common import add_common_arguments, autocast, freeze, held_out_count, open_run, pack_folder, provenance
from engines.training.mapping_fit import fit_mapping
from engines.training.object_statistics import write_object_statistics
from engines.training.pack_definitions import definition, ensure_pack
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
            type=float,
            default=share,
            help=f"share of the budget for this stage (default {share}; 0 skips it)",
        )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains the stages in order and writes the components."""
    if arguments.init and arguments.from_pack:
        raise OptionError("--init and --from-pack exclude each other.")
    row = definition(arguments.pack)
    shares = {stage: getattr(arguments, f"{stage}_share") for stage in _SHARES}
    training, schedule = open_run(
        arguments, "gan", {"init": arguments.init, "from_pack": arguments.from_pack, "shares": shares}
    )
    folder = pack_folder(arguments)
    train = rendered_set(row.data, "train", arguments.pictures, progress=arguments.progress)
    validation = rendered_set(row.data, "validation", held_out_count(arguments), progress=arguments.progress)
    held_out, labels = np.asarray(validation.images[:400]), class_labels(train)
    ensure_pack(folder)
    common = {
        "images": train.images,
        "mirror": train.data.may_mirror,
        "held_out": held_out,
        "perceptual": _perceptual(arguments.pack),
        "weight_map": row.weight_map(row.generator.resolution),
        "run": training,
        "arguments": arguments,
    }
    generator = Generator(row.generator, seed=arguments.seed)
    torch.manual_seed(arguments.seed)
    model = Autoencoder.of(generator, WPlusEncoder(row.encoder))
    discriminator = Discriminator(row.discriminator, seed=arguments.seed)
    initialised_from = _initialise(arguments, model, discriminator)
    state = training.load_checkpoint() or {}
    if "g" in state:
        model.load(state)
    stage = state.get("stage", "autoencoding")
    seen: dict[str, int] = dict(state.get("seen", {}))
    figures: dict[str, float] = dict(state.get("mapping_figures", {}))
    if stage == "autoencoding" and shares["autoencoding"] > 0:
        rates = _CONTINUED_RATES if initialised_from else _SCRATCH_RATES
        grow_from = row.generator.resolution if initialised_from else row.encoder.coarsest_input_px
        seen["autoencoding"] = train_autoencoder(
            model, rates=rates, grow_from_px=grow_from, schedule=schedule.share(shares["autoencoding"]), state=state, **common
        )
        _restart_from_averages(model)
        state = {"stage": "mapping", "seen": seen, **model.state()}
        training.save_checkpoint(state)
        stage = "mapping"
    encoder = model.encoder_ema.model.eval()
    with autocast():
        codes = over_pictures(encoder, train.images[:STATISTICS_PICTURES])
    if stage != "adversarial" and shares["mapping"] > 0:
        with autocast():
            sides = (False, True) if train.data.may_mirror else (False,)
            all_codes = [over_pictures(lambda x: encoder(x).mean(1), train.images, mirrored=side) for side in sides]
        gated = train.labels[:, [train.attributes.index(name) for name in row.generator.gates]]
        mapping_schedule = schedule.share(shares["mapping"])
        figures = fit_mapping(
            model.generator,
            torch.cat(all_codes),
            labels.repeat(len(sides), 1),
            torch.from_numpy(gated).float().repeat(len(sides), 1),
            schedule=mapping_schedule,
            run=training,
            arguments=arguments,
        )
        model.generator_ema.model.mapping.load_state_dict(model.generator.mapping.state_dict())
        training.log(stage="mapping", **figures)
        state = {"stage": "adversarial", "seen": seen, "mapping_figures": figures, **model.state()}
        training.save_checkpoint(state)
    if shares["adversarial"] > 0:
        seen["adversarial"] = train_adversarial(
            model, discriminator, labels=labels, schedule=schedule.share(shares["adversarial"]), state=state, **common
        )
    metrics = {
        "held_out_mse_median": held_out_mse(model.encoder_ema.model, model.generator_ema.model, held_out),
        **figures,
    }
    source = provenance(
        arguments,
        images_seen=sum(seen.values()),
        data=f"{row.data} train, {len(train.images)} renders",
        data_licence=train.licence,
        metrics=metrics,
        initialised_from=initialised_from,
    )
    # Only what this run trained is written: the rest keeps its own provenance.
    generator_average, encoder_average = model.generator_ema.model, model.encoder_ema.model
    write_component(folder, "generator", generator_average, generator_average.config_json(), source, half=True)
    statistics = {**latent_statistics(generator_average.mapping.w_avg, codes), **class_statistics(generator_average)}
    write_component(folder, "statistics", statistics, {}, source, half=True)
    if shares["autoencoding"] > 0:
        write_component(folder, "encoder", encoder_average, encoder_average.config_json(), source, half=True)
    if shares["adversarial"] > 0:
        write_component(folder, "discriminator", discriminator, discriminator.config_json(), source, half=True)
    write_object_statistics(arguments.pack, seed=arguments.seed)
    return {"run": str(training.folder), "best": str(folder), "metrics": metrics}


def _perceptual(pack_id: str) -> Any:
    """The pack's perceptual network. Raises RunError where it is not trained yet: it is a part of the loss."""
    pack = open_pack(pack_id)
    if not pack.has("perceptual"):
        raise RunError(f"Train the perceptual network first: python -m engines train predictors --pack {pack_id}.")
    return freeze(pack.perceptual)


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
        if not path.is_file():
            raise OptionError(f"--init {path} is not a file.")
        weights = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
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
        network.load_state_dict(state)
    for average, network in ((model.generator_ema, model.generator), (model.encoder_ema, model.encoder)):
        average.model.load_state_dict(network.state_dict())
    return source


def _restart_from_averages(model: Autoencoder) -> None:
    """Later stages go on from the averaged weights, which are the better ones."""
    model.generator.load_state_dict(model.generator_ema.model.state_dict())
    model.encoder.load_state_dict(model.encoder_ema.model.state_dict())

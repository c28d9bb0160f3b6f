"""``train steering``: directions for shift and zoom, learned from the generator alone (Jahanian et al. 2020, section 3.1).

    d* = argmin_d  E_w,a  L(G(w + a d), T_a G(w)) + lambda |a d|^2

T_a shifts or zooms a picture; what it brings into view from beyond the border is nobody's to say and is masked out of L, the
masked pixels and features that searches minimise. Directions are the same for all style layers, and their length |.| is that
of Mahalanobis among the generator's own codes: far from these a picture of the right place is a blurred one.

A learned direction does less than it is asked to wherever the generator cannot follow; where the pack has a box detector, it
is lengthened, within bounds, until objects move as far as is asked.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engines.core.arguments import bounded_float
from engines.core.rng import torch_generator
from engines.editing.steering import MOVES, Steering
from engines.generators.labels import random_labels
from engines.generators.stylegan2 import Generator
from engines.imaging.convert import to_tensor, to_uint8
from engines.imaging.grids import picture_grid
from engines.inversion.projection_objective import ProjectionObjective
from engines.inversion.transforms import Transform, transform_images, transform_masks
from engines.losses.masked import FeatureDistance
from engines.packs.registry import open_pack
from engines.packs.write import write_component
from engines.training.common import add_common_arguments, open_run, pack_folder, provenance, report_every, set_learning_rate
from engines.training.runs import Run
from engines.training.schedule import Schedule, learning_rate

__all__ = [
    "HELP",
    "add_arguments",
    "calibrate_by_boxes",
    "fit_steering",
    "measured_moves",
    "moves_sheet",
    "remaining_error",
    "run",
]

HELP = "directions for shift and zoom, from the generator alone"

_BATCH = 4
_PEAK_RATE = 0.1
"""In standard deviations of codes for the largest amount asked."""
_LENGTH_WEIGHT = 0.001
"""lambda: three deviations cost about a tenth of what is left of L when a picture has moved."""
_HELD_OUT = 48
_LONGER = (0.5, 2.0)
"""Least and largest factor that calibration may use."""
_SHOWN = 8
_CHECKPOINT_STEPS = 50
_STREAM = 81


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, steps=300, train_pictures=None)
    add = parser.add_argument
    share, factor = bounded_float(0, 0.99, above=True), bounded_float(1, 3.99, above=True)
    add("--shift-most", type=share, default=0.08, metavar="SHARE", help="largest shift, in shares of a side (default .08)")
    add("--zoom-most", type=factor, default=1.35, metavar="F", help="largest zoom factor (default 1.35)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Learns, calibrates and writes the component ``steering``."""
    most = {"shift_most": arguments.shift_most, "zoom_most": arguments.zoom_most}
    pack = open_pack(arguments.pack)
    latent = pack.manifest.latent
    steering = Steering(latent.layers, latent.dim, **most)
    training, schedule = open_run(arguments, "steering", most)

    def codes(count: int, *stream: int) -> Tensor:
        return sampled_codes(pack.generator, count, arguments.seed, *stream)

    report = report_every(arguments, "Learning shift and zoom", schedule)
    steps = fit_steering(
        steering,
        pack.generator,
        pack.perceptual,
        codes,
        schedule=schedule,
        clock=lambda: training.seconds,
        report=lambda step, loss: report(step, training.seconds, loss),
        seed=arguments.seed,
        training=training,
    )
    held_out = codes(_HELD_OUT, 1)
    metrics: dict[str, Any] = {}
    if pack.has("box_detector"):
        metrics["box_move_learned"] = calibrate_by_boxes(steering, pack.generator, pack.box_detector, held_out)
        metrics["box_move"] = measured_moves(steering, pack.generator, pack.box_detector, codes(_HELD_OUT, 2))
    metrics["remaining_error"] = remaining_error(steering, pack.generator, pack.perceptual, held_out)
    training.picture("moves", moves_sheet(steering, pack.generator, held_out[:_SHOWN]))
    training.log(steps=steps, **{f"{name}_{move}": v for name, table in metrics.items() for move, v in table.items()})
    made = 2 * steps * _BATCH * len(MOVES)
    source = provenance(
        arguments,
        images_seen=made,
        data=f"pictures of the pack's generator {pack.component_sha256('generator')[:16]}",
        data_licence=pack.manifest.components["generator"].provenance.weights_licence,
        metrics=metrics,
    )
    write_component(pack_folder(arguments), "steering", steering, steering.config_json(), source, half=False)
    training.finish()
    return {"run": str(training.folder), "best": str(pack_folder(arguments)), "metrics": metrics}


@torch.no_grad()
def sampled_codes(generator: Generator, count: int, *seed: int) -> Tensor:
    """W+ codes [count, L, D] of samples, of classes drawn evenly where there are classes."""
    draw, config = torch_generator(*seed, _STREAM), generator.config
    z = torch.randn(count, config.z_dim, generator=draw)
    return generator.broadcast(generator.mapping(z, random_labels(count, config.class_count, draw)))


def fit_steering(
    steering: Steering,
    generator: nn.Module,
    perceptual: FeatureDistance,
    codes: Callable[..., Tensor],
    *,
    schedule: Schedule,
    clock: Callable[[], float],
    report: Callable[[int, float], None],
    seed: int,
    training: Run | None = None,
) -> int:
    """Learns the directions in place, on ``codes(count, stream) -> [count, L, D]``; returns the number of steps.

    Every step asks for a random amount of each move, either way. training: its checkpoint is gone on with where there is one.
    """
    unknown, most = torch.zeros(len(MOVES), steering.dim, requires_grad=True), _most(steering)

    def directions() -> Tensor:
        """[3, L, D]: an unknown counts deviations along a principal axis of codes, for the largest amount."""
        return (unknown / most[:, None] @ factors)[:, None].expand(-1, steering.layers, -1)

    factors = _principal_factors(codes(2048, 3, 0)[:, 0])
    optimiser = torch.optim.Adam([unknown], lr=_PEAK_RATE, betas=(0.9, 0.99))
    step, before = 0, 0.0
    if training is not None and (state := training.load_checkpoint()):
        unknown.data.copy_(state["unknown"])
        optimiser.load_state_dict(state["optimiser"])
        step, before = state["step"], state["stage_seconds"]
    begun = clock() - before
    while (fraction := schedule.fraction(step, clock() - begun)) < 1:
        set_learning_rate(optimiser, learning_rate(_PEAK_RATE, fraction))
        start = codes(_BATCH, 4, step)
        amounts = _random_amounts(steering, _BATCH, torch_generator(seed, 5, step))
        steering.directions = directions()
        length = (amounts / most) @ unknown
        loss = _losses(steering, generator, perceptual, start, amounts).mean()
        loss = loss + _LENGTH_WEIGHT * length.square().sum(1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step += 1
        report(step, loss.item())
        if training is not None and step % _CHECKPOINT_STEPS == 0:
            weights = {"unknown": unknown.detach(), "optimiser": optimiser.state_dict()}
            training.save_checkpoint({"step": step, "stage_seconds": clock() - begun, **weights})
    steering.directions = directions().detach().clone()
    return step


@torch.no_grad()
def remaining_error(steering: Steering, generator: nn.Module, perceptual: FeatureDistance, codes: Tensor) -> dict[str, float]:
    """Loss of the moved codes as a share of that of unmoved ones, for each move at half its range: 1 does nothing, 0 all."""
    still = Steering.from_config(steering.config_json()).to(codes.device)
    found = {}
    for index, move in enumerate(MOVES):
        amounts = _half_amounts(steering, index, len(codes))
        moved, unmoved = (_losses(s, generator, perceptual, codes, amounts).mean() for s in (steering, still))
        found[move] = float(moved / unmoved)
    return found


@torch.no_grad()
def measured_moves(steering: Steering, generator: nn.Module, detector: nn.Module, codes: Tensor) -> dict[str, float]:
    """How far detected boxes move, as a share of what is asked, for each move at half its range: 1 is as far as asked."""
    found = {}
    for index, move in enumerate(MOVES):
        amounts = _half_amounts(steering, index, len(codes))
        forth, back = (_places(generator, detector, steering.steered(codes, sign * amounts))[:, index] for sign in (1, -1))
        found[move] = float(((forth - back) / (2 * amounts[:, index])).mean())
    return found


def calibrate_by_boxes(steering: Steering, generator: nn.Module, detector: nn.Module, codes: Tensor) -> dict[str, float]:
    """Lengthens directions in place until boxes move as far as is asked; returns how far they went before."""
    moves = measured_moves(steering, generator, detector, codes)
    low, high = _LONGER
    # A direction that moves nothing, or the wrong way, is none: it is left as it is, for its figure to tell.
    factors = [min(max(1 / moved, low), high) if moved > 1 / (2 * high) else 1.0 for moved in moves.values()]
    steering.directions *= torch.tensor(factors)[:, None, None]
    return moves


@torch.no_grad()
def moves_sheet(steering: Steering, generator: nn.Module, codes: Tensor) -> np.ndarray:
    """Pictures of codes [N, L, D] as they are, and below them each move at its largest, forth and back: uint8 [H, W, 3]."""
    rows = [codes]
    for index in range(len(MOVES)):
        amounts = torch.zeros(1, len(MOVES))
        amounts[:, index] = _most(steering)[index]
        rows += [steering.steered(codes, sign * amounts) for sign in (1, -1)]
    return picture_grid([list(to_uint8(generator.synthesis(row, noise_mode="const"))) for row in rows])


# ---- inside -----------------------------------------------------------------------------------------------------


def _principal_factors(w: Tensor) -> Tensor:
    """Principal axes of w [n, D] times the deviations along them, [D, D]; axes of next to no deviation count as thicker."""
    variances, axes = torch.linalg.eigh(torch.cov(w.T).double())
    deviations = variances.clamp_min(1e-4 * float(variances.max())).sqrt()
    return (axes * deviations).T.float()


def _most(steering: Steering) -> Tensor:
    """The largest amount of each move, [3]."""
    return torch.tensor([steering.shift_most, steering.shift_most, math.log(steering.zoom_most)])


def _random_amounts(steering: Steering, count: int, draw: torch.Generator) -> Tensor:
    """[count * 3, 3]: every code with every move alone, either way."""
    amounts = torch.zeros(count, len(MOVES), len(MOVES))
    amounts.diagonal(dim1=1, dim2=2).copy_((2 * torch.rand(count, len(MOVES), generator=draw) - 1) * _most(steering))
    return amounts.flatten(0, 1)


def _half_amounts(steering: Steering, index: int, count: int) -> Tensor:
    """[count, 3]: half the largest amount of one move, forth and back in turn."""
    amounts = torch.zeros(count, len(MOVES))
    amounts[:, index] = _most(steering)[index] / 2
    amounts[1::2] *= -1
    return amounts


def _losses(steering: Steering, generator: nn.Module, perceptual: FeatureDistance, codes: Tensor, amounts: Tensor) -> Tensor:
    """L of every code [N, L, D] with its share of the amounts [k N, 3]: [k N]."""
    codes = codes.repeat_interleave(len(amounts) // len(codes), dim=0)
    with torch.no_grad():
        transforms = [
            Transform((math.exp(-z),) * 2, (-2 * x * math.exp(-z), -2 * y * math.exp(-z))) for x, y, z in amounts.tolist()
        ]
        pictures = generator.synthesis(codes, noise_mode="const")
        masks = transform_masks(torch.ones_like(pictures[:, :1]), transforms)
        objective = ProjectionObjective(perceptual, "pack", transform_images(pictures, transforms), masks)
    return objective(generator.synthesis(steering.steered(codes, amounts), noise_mode="const"))


def _places(generator: nn.Module, detector: nn.Module, codes: Tensor) -> Tensor:
    """Centre and logarithm of the size of detected boxes, [N, 3], in the units of moves."""
    boxes = detector(to_tensor(to_uint8(generator.synthesis(codes, noise_mode="const")))).double()
    low, high = boxes.split(2, dim=1)
    return torch.cat([(low + high) / 2, (high - low).clamp_min(1e-3).log().mean(1, keepdim=True)], dim=1)

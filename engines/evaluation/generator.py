"""``evaluate generator``: how close unselected samples are to held-out pictures, and whether they copy training pictures.

Features are those of the attribute predictor's penultimate layer, which knows this kind of picture; figures in them are not
comparable with Inception figures of other projects. The Fréchet distance is given as a ratio: to the distance between two
disjoint sets of real pictures of the same size, so that 1 is as good as real and the sample-size bias cancels.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

from engines.core.errors import OptionError
from engines.core.rng import torch_generator, z_for_seeds
from engines.evaluation.judges import BATCH, Judges, fitted, samples
from engines.evaluation.metrics import frechet_distance, nearest_neighbours, precision_recall
from engines.evaluation.setting import Setting, add_common_arguments
from engines.imaging.convert import to_tensor
from engines.imaging.grids import picture_grid
from engines.packs.load import Pack

__all__ = ["HELP", "add_arguments", "path_length", "run"]

HELP = "Fréchet ratio, precision, recall, path length and nearest training pictures of unselected samples"

_TRUNCATIONS = (1.0, 0.7)  # of the grids; figures are without truncation
_GRID = 8
_K_NEAREST = 3  # of precision and recall, as in the paper
_NEIGHBOURS = 3
_THUMBNAIL_PX = 32
_PATH_EPSILON = 1e-4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=5000)
    parser.add_argument(
        "--train-pictures", type=int, default=None, metavar="N", help="training pictures to compare with (default: --n)"
    )
    parser.add_argument("--path-samples", type=int, default=500, metavar="N", help="paths for the perceptual path length")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns `fd_ratio`, `precision`, `recall` and more."""
    train_count = arguments.n if arguments.train_pictures is None else arguments.train_pictures
    if arguments.n <= _K_NEAREST or train_count < 1 or arguments.path_samples < 1:
        raise OptionError(f"--n must be at least {_K_NEAREST + 1}, --train-pictures and --path-samples at least 1.")
    options = {"train-pictures": train_count, "path-samples": arguments.path_samples}
    setting = Setting.open(arguments, "evaluate generator", options)
    pack, judges, report = setting.pack, Judges(setting.pack), setting.report("How good the generator's samples are")
    real = setting.subjects("test", arguments.n).pictures
    train = setting.subjects("train", max(train_count, arguments.n)).pictures
    setting.stage("Sampling", 0, len(_TRUNCATIONS))
    generated = samples(pack, arguments.n, seed=arguments.seed)
    setting.stage("Measuring features", 0, 3)
    features = [judges.features(x) for x in (generated, real, train[: arguments.n])]
    distance = frechet_distance(features[0], features[1])
    floor = frechet_distance(features[2], features[1])
    precision, recall = precision_recall(features[1], features[0], k=_K_NEAREST)
    setting.stage("Measuring path lengths", 0, 1)
    lengths = path_length(pack, arguments.path_samples, seed=arguments.seed)
    nearest, distances = _nearest_in_thumbnails(generated, train[:train_count])
    held_out_distances = _nearest_in_thumbnails(real, train[:train_count])[1]
    figures = {
        "fd_ratio": distance / floor,
        "precision": precision,
        "recall": recall,
        "fd": distance,
        "fd_between_real_sets": floor,
        "path_length_mean": float(np.mean(lengths)),
        "nearest_train_ratio": float(np.median(distances[:, 0]) / np.median(held_out_distances[:, 0])),
        "n": arguments.n,
        "train_pictures": train_count,
    }
    report.table([figures])
    report.text(_EXPLANATION)
    for truncation in _TRUNCATIONS:
        pictures = samples(pack, _GRID * _GRID, seed=arguments.seed, truncation=truncation)
        rows = [list(pictures[i : i + _GRID]) for i in range(0, len(pictures), _GRID)]
        caption = f"The first {len(pictures)} samples, unselected, truncation {truncation:g}."
        report.picture(f"samples-{truncation:g}", picture_grid(rows), caption)
    rows = [[generated[i], *(np.asarray(train[j]) for j in nearest[i])] for i in range(min(_GRID, len(generated)))]
    caption = f"Each row: a sample, then its {_NEIGHBOURS} nearest training pictures."
    report.picture("nearest-training", picture_grid(rows), caption)
    return report.write([figures], figures)


@torch.no_grad()
def path_length(pack: Pack, n: int, *, seed: int) -> np.ndarray:
    """Perceptual path lengths in W (Karras et al. 2019, Eq. 3), [<= n], of `n` pairs of latents.

    ``d(G(lerp(w_1, w_2; t)), G(lerp(w_1, w_2; t + eps))) / eps^2`` with t uniform in [0, 1], eps 1e-4 and d the distance of
    the pack's perceptual network; as there, lengths outside the 1st to 99th percentile are dropped.
    """
    generator = pack.generator
    seeds = list(range(seed, seed + 2 * n))
    w = torch.cat([generator.mapping(z) for z in z_for_seeds(seeds, generator.config.z_dim).to(pack.device).split(BATCH)])
    t = torch.rand(n, 1, generator=torch_generator(seed, 1)).to(pack.device)
    here, there = (w[:n].lerp(w[n:], t + step) for step in (0, _PATH_EPSILON))
    lengths = []
    for a, b in zip(here.split(BATCH), there.split(BATCH), strict=True):
        images = [generator.synthesis(generator.broadcast(x)) for x in (a, b)]
        lengths.append(pack.perceptual.distance(*images) / _PATH_EPSILON**2)
    values = torch.cat(lengths).cpu().numpy()
    low, high = np.quantile(values, [0.01, 0.99])
    return values[(values >= low) & (values <= high)]


def _nearest_in_thumbnails(queries: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest neighbours by pixels of small copies: a copied picture is close in any features, but pixels cannot be fooled."""
    small = [to_tensor(fitted(x, _THUMBNAIL_PX)).flatten(1).numpy() for x in (queries, references)]
    return nearest_neighbours(*small, k=min(_NEIGHBOURS, len(references)))


_EXPLANATION = f"""
`fd_ratio`: Fréchet distance (Dowson & Landau 1982) of samples to held-out renders over that of as many training renders
to the same held-out renders; 1 would be as close as real pictures. `precision` and `recall`: Kynkäänniemi et al. 2019, k
= 3, the held-out renders being the real set. `path_length_mean`: perceptual path length in W with the pack's own
perceptual network. `nearest_train_ratio`: median distance of a sample to its nearest training picture, over the same for
held-out renders, in pixels at {_THUMBNAIL_PX} px: far below 1 would mean that training pictures are copied. Samples use
no truncation unless said.
"""

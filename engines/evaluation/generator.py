"""``evaluate generator``: how close unselected samples are to held-out pictures, and whether they copy training pictures.

Features are those of the attribute predictor's penultimate layer, or the class predictor's where the pack has classes: they
know this kind of picture; figures in them are not comparable with Inception figures of other projects. Samples have the
classes of the held-out pictures, and every class is measured by itself too. The Fréchet distance is given as a ratio: to the
distance between two disjoint sets of real pictures of the same size, so that 1 is as good as real. Estimates from n pictures
have a bias b_n, which is all of the distance between real sets: the ratio is about (FD + b_n) / b_n, and since b_n falls with n
it grows with n. Ratios compare with those of the same n only.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.core.rng import torch_generator, z_for_seeds
from engines.evaluation.judges import BATCH, Judges, fitted, samples
from engines.evaluation.metrics import frechet_distance, nearest_neighbours, precision_recall
from engines.evaluation.report import ReportFolder
from engines.evaluation.setting import Setting, add_common_arguments
from engines.generators.labels import labels_for_seeds, one_hot
from engines.imaging.convert import to_tensor
from engines.imaging.grids import picture_grid
from engines.packs.load import Pack

__all__ = ["HELP", "add_arguments", "closeness", "path_length", "run"]

HELP = "Fréchet ratio, precision, recall, path length and nearest training pictures of unselected samples"

_TRUNCATIONS = (1.0, 0.7)  # of the grids; figures are without truncation
_GRID = 8
_K_NEAREST = 3  # of precision and recall, as in the paper
_NEIGHBOURS = 3
_THUMBNAIL_PX = 32
_PATH_EPSILON = 1e-4
_RECONSTRUCTIONS = "--reconstructions"
"""The option of ``train predictors`` that adds what encoder and generator make of training pictures."""


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
    held_out, training = setting.subjects("test", arguments.n), setting.subjects("train", max(train_count, arguments.n))
    real, train = held_out.pictures, training.pictures
    setting.stage("Sampling", 0, len(_TRUNCATIONS))
    generated = samples(pack, arguments.n, seed=arguments.seed, labels=_labels(pack, held_out.classes))
    setting.stage("Measuring features", 0, 3)
    features = [judges.features(x) for x in (generated, real, train[: arguments.n])]
    figures = closeness(*features)
    by_renders = closeness(*(judges.perceptual_features(x) for x in (generated, real, train[: arguments.n])))
    figures |= {f"{name}_perceptual": by_renders[name] for name in ("fd_ratio", "precision", "recall")}
    if pack.has("encoder"):
        setting.stage("Measuring reconstructions", 0, 1)
        figures |= _reconstruction_ratios(judges, train[: arguments.n], features[1], floor=figures["fd_between_real_sets"])
    setting.stage("Measuring path lengths", 0, 1)
    lengths = path_length(pack, arguments.path_samples, seed=arguments.seed)
    nearest, distances = _nearest_in_thumbnails(generated, train[:train_count])
    held_out_distances = _nearest_in_thumbnails(real, train[:train_count])[1]
    figures |= {
        "path_length_mean": float(np.mean(lengths)),
        "nearest_train_ratio": float(np.median(distances[:, 0]) / np.median(held_out_distances[:, 0])),
        "n": arguments.n,
        "train_pictures": train_count,
    }
    report.table([figures])
    report.text(_EXPLANATION.format(n=arguments.n, side=_THUMBNAIL_PX))
    if command := _taught_by_generator(pack):
        report.text(_FAMILIAR.format(command=command))
    rows = [figures]
    if held_out.classes is not None:
        classes = (held_out.classes, held_out.classes, training.classes[: arguments.n])
        by_class = _by_class(pack, features, classes, said=judges.classes(generated))
        report.heading("Class by class")
        report.table(list(by_class.values()))
        rows = [{"class": "all", **figures}, *by_class.values()]
        figures = {**figures, "class_agreement": _mean(by_class, "class_agreement"), "by_class": by_class}
    for truncation in _TRUNCATIONS:
        _sheet(report, pack, seed=arguments.seed, truncation=truncation)
    shown = [[generated[i], *(np.asarray(train[j]) for j in nearest[i])] for i in range(min(_GRID, len(generated)))]
    caption = f"Each row: a sample, then its {_NEIGHBOURS} nearest training pictures."
    report.picture("nearest-training", picture_grid(shown), caption)
    return report.write(rows, figures)


def closeness(generated: np.ndarray, real: np.ndarray, train: np.ndarray) -> dict[str, float]:
    """The figures of features [n, F] of samples, held-out and training pictures."""
    distance, floor = frechet_distance(generated, real), frechet_distance(train, real)
    precision, recall = precision_recall(real, generated, k=_K_NEAREST)
    return {
        "fd_ratio": distance / floor,
        "precision": precision,
        "recall": recall,
        "fd": distance,
        "fd_between_real_sets": floor,
    }


def _reconstruction_ratios(judges: Judges, train: np.ndarray, real: np.ndarray, *, floor: float) -> dict[str, float]:
    """The Fréchet ratios of training pictures [n, R, R, 3] that the encoder and the synthesis network made again.

    real: features [n, F] of held-out pictures; floor: the distance between two real sets.
    """
    codes = judges.codes(train)
    with_one_w = np.repeat(codes.mean(axis=1, keepdims=True), codes.shape[1], axis=1)
    made = {"fd_ratio_reconstructions": codes, "fd_ratio_one_w": with_one_w}
    return {name: frechet_distance(judges.features(judges.pictures(w)), real) / floor for name, w in made.items()}


def _by_class(
    pack: Pack, features: Sequence[np.ndarray], classes: Sequence[np.ndarray], *, said: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Class id -> its figures. features, classes: of samples, held-out and training pictures; said: of the samples [n].

    Raises OptionError where a class has too few pictures.
    """
    figures = {}
    for number, row in enumerate(pack.manifest.classes):
        chosen = [part == number for part in classes]
        if min(int(mask.sum()) for mask in chosen) <= _K_NEAREST:
            raise OptionError(
                f"--n is too small: at least {_K_NEAREST + 1} pictures of every class, also of {row.id}, are needed."
            )
        agreement = float((said[chosen[0]] == number).mean())
        parts = [part[mask] for part, mask in zip(features, chosen, strict=True)]
        count = int(chosen[0].sum())
        figures[row.id] = {"class": row.id, **closeness(*parts), "class_agreement": agreement, "n": count}
    return figures


def _taught_by_generator(pack: Pack) -> str | None:
    """The command that trained the network of the features, where it was taught by what the generator makes too."""
    if pack.has("class_predictor"):
        return None  # reconstructions are for the attribute predictor alone
    command = pack.manifest.components["attribute_predictor"].provenance.command
    return command if _RECONSTRUCTIONS in command.split() else None


def _mean(by_class: Mapping[str, Mapping[str, Any]], key: str) -> float:
    return float(np.mean([row[key] for row in by_class.values()]))


def _labels(pack: Pack, classes: np.ndarray | None) -> Tensor | None:
    return None if classes is None else one_hot(classes, len(pack.manifest.classes))


def _sheet(report: ReportFolder, pack: Pack, *, seed: int, truncation: float) -> None:
    """Rows of samples, each of a class where there are classes."""
    rows = len(pack.manifest.classes) or _GRID
    labels = _labels(pack, np.arange(rows).repeat(_GRID)) if pack.manifest.classes else None
    pictures = samples(pack, rows * _GRID, seed=seed, truncation=truncation, labels=labels)
    grid = picture_grid([list(pictures[i : i + _GRID]) for i in range(0, len(pictures), _GRID)])
    what = "samples, a class a row" if pack.manifest.classes else "samples"
    caption = f"The first {len(pictures)} {what}, unselected, truncation {truncation:g}."
    report.picture(f"samples-{truncation:g}", grid, caption)


@torch.no_grad()
def path_length(pack: Pack, n: int, *, seed: int) -> np.ndarray:
    """Perceptual path lengths in W (Karras et al. 2019, Eq. 3), [<= n], of `n` pairs of latents, each of one class.

    ``d(G(lerp(w_1, w_2; t)), G(lerp(w_1, w_2; t + eps))) / eps^2`` with t uniform in [0, 1], eps 1e-4 and d the distance of
    the pack's perceptual network; as there, lengths outside the 1st to 99th percentile are dropped.
    """
    generator = pack.generator
    seeds = list(range(seed, seed + 2 * n))
    latents = z_for_seeds(seeds, generator.config.z_dim).to(pack.device).split(BATCH)
    labels = labels_for_seeds(seeds[:n], generator.config.class_count).repeat(2, 1).to(pack.device).split(BATCH)
    w = torch.cat([generator.mapping(z, label) for z, label in zip(latents, labels, strict=True)])
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


_EXPLANATION = """
`fd_ratio`: Fréchet distance (Dowson & Landau 1982) of {n} samples to {n} held-out renders over that of {n} training renders
to the same held-out renders; 1 would be as close as real pictures. The distance of real sets is the bias of estimates from so
many pictures, which falls with their number: the ratio grows with it, and compares only with ratios of as many pictures (`n`;
classes have fewer than all together). `precision` and `recall`: Kynkäänniemi et al. 2019, k = 3, the held-out renders being
the real set. `..._perceptual`: the same in the last features of the perceptual network, which was taught by renders alone.
`fd_ratio_reconstructions`, `fd_ratio_one_w`: the ratio for those training renders after encoder and synthesis
network, with their codes in W+, and with the mean of a code's rows for all layers: what is left from there to `fd_ratio` is
the mapping network's. `path_length_mean`: perceptual path length in W with the pack's own perceptual network.
`nearest_train_ratio`: median distance of a sample to its nearest training picture, over the same for held-out renders, in
pixels at {side} px: far below 1 would mean that training pictures are copied. Samples use no truncation unless said.
`class_agreement`: share of the samples of a class that the class predictor takes for it.
"""

_FAMILIAR = """
The network whose features are compared was also taught by pictures that the pack's encoder and generator made, with the labels
of real ones: it may look past what tells the two apart, and its features may flatter the samples. The command that trained it:

    {command}
"""

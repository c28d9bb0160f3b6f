"""The figures of every table, as pure functions of arrays: no network, no file, no picture library.

Rates come as one value per picture, not as their mean: the caller averages, and bootstraps over pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from engines.core.rng import numpy_generator

__all__ = [
    "attribute_preservation",
    "balanced_accuracy",
    "bootstrap_counts",
    "bootstrap_interval",
    "calibration_error",
    "frechet_distance",
    "nearest_neighbours",
    "precision_recall",
    "rate_ratio",
    "share_interval",
    "squared_difference",
    "target_change",
]

_CHUNK_ROWS = 512  # rows of a distance matrix at a time: 512 x 24,000 float32 is 50 MB


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance between the Gaussians fitted to two sets of features [n, d], [m, d] (n, m >= 2).

    Dowson & Landau 1982: ``|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))``. The trace of the root is the sum of the
    singular values of ``S_a^(1/2) S_b^(1/2)``, which stays real where a covariance is singular.
    """
    _check_features(a, b, least_rows=2)
    a, b = a.astype(np.float64), b.astype(np.float64)
    shift = a.mean(axis=0) - b.mean(axis=0)
    covariance_a, covariance_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    overlap = np.linalg.svd(_root(covariance_a) @ _root(covariance_b), compute_uv=False).sum()
    return float(shift @ shift + np.trace(covariance_a) + np.trace(covariance_b) - 2 * overlap)


def precision_recall(real: np.ndarray, generated: np.ndarray, *, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al. 2019, Eq. 1 and 2) of features [n, d] and [m, d].

    The manifold of a set is the union of balls around its members, each reaching to the member's k-th nearest other member.
    Precision is the share of `generated` inside the manifold of `real`, recall the share of `real` inside that of `generated`.
    """
    _check_features(real, generated, least_rows=k + 1)
    return _share_inside(generated, real, k), _share_inside(real, generated, k)


def nearest_neighbours(queries: np.ndarray, references: np.ndarray, *, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """For every query [n, d] the indices and Euclidean distances [n, k] of its k nearest `references` [m, d], nearest first."""
    _check_features(references, queries, least_rows=1)
    indices, distances = [], []
    for _, squared in _squared_distances(queries, references):
        # A stable sort makes ties go to the lower index: the same picture on every machine.
        order = np.argsort(squared, axis=1, kind="stable")[:, :k]
        indices.append(order)
        distances.append(np.sqrt(np.take_along_axis(squared, order, axis=1)))
    return np.concatenate(indices), np.concatenate(distances)


def balanced_accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """``(true positive rate + true negative rate) / 2`` of booleans [n]; NaN where only one class occurs."""
    predicted, labels = np.asarray(predicted, bool), np.asarray(labels, bool)
    if labels.all() or not labels.any():
        return float("nan")
    return float((predicted[labels].mean() + (~predicted[~labels]).mean()) / 2)


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017, Eq. 3) of a binary prediction [n].

    ``sum_b |B_b| / n * |mean(label in B_b) - mean(probability in B_b)|`` over `bins` equal intervals of the probability.
    """
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
    which = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights=labels - probabilities, minlength=bins)
    return float(np.abs(gaps).sum() / len(probabilities))


@lru_cache(maxsize=2)
def bootstrap_counts(n: int, seed: int, resamples: int) -> np.ndarray:
    """How often each of n values is drawn in each resample, [resamples, n], read-only: reports ask for the same many times."""
    counts = numpy_generator(seed).multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    counts.setflags(write=False)
    return counts


def bootstrap_interval(values: np.ndarray, *, seed: int, level: float = 0.95, resamples: int = 1000) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron 1979) of the mean of `values` [n]; (NaN, NaN) for none."""
    values = np.asarray(values, np.float64)
    if not len(values):
        return float("nan"), float("nan")
    counts = bootstrap_counts(len(values), seed, resamples)
    low, high = np.quantile(counts @ values / len(values), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def share_interval(successes: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share (Wilson 1927): all p with ``|k/n - p| <= z sqrt(p (1 - p) / n)``; (NaN, NaN) without trials.

    Unlike a bootstrap it says how little a few successes without a failure prove.
    """
    if trials == 0:
        return float("nan"), float("nan")
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    share = successes / trials
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = (z2 * (share * (1 - share) / trials + z2 / (4 * trials**2))) ** 0.5 / (1 + z2 / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def rate_ratio(
    hits: np.ndarray, tries: np.ndarray, base_hits: np.ndarray, base_tries: np.ndarray, *, seed: int, resamples: int = 1000
) -> tuple[float, tuple[float, float]]:
    """(sum hits / sum tries) / (sum base_hits / sum base_tries) over pictures [n] each, with its 95 % interval.

    The interval is a paired percentile bootstrap: both rates are taken over the same pictures. NaN for no try or no base hit.
    """
    counts = np.stack([np.asarray(values, np.float64) for values in (hits, tries, base_hits, base_tries)], axis=1)
    weights = bootstrap_counts(len(counts), seed, resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = np.vstack([counts.sum(axis=0), weights @ counts])  # [1 + resamples, 4]
        ratios = (sums[:, 0] / sums[:, 1]) / (sums[:, 2] / sums[:, 3])
    ratios[~np.isfinite(ratios)] = np.nan
    drawn = ratios[1:][np.isfinite(ratios[1:])]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
    return float(ratios[0]), (float(low), float(high))


def target_change(before: np.ndarray, after: np.ndarray, *, wanted: bool) -> np.ndarray:
    """Whether the prediction of the edited attribute crossed 0.5 to the `wanted` side, for those that could cross.

    `before`, `after`: probabilities [n]. Returns booleans [m]: one for each picture predicted on the unwanted side before.
    """
    had, has = np.asarray(before) > 0.5, np.asarray(after) > 0.5
    return has[had != wanted] == wanted


def target_change_of_each(before: np.ndarray, after: np.ndarray, *, wanted: bool) -> np.ndarray:
    """:func:`target_change` as numbers [n], NaN for pictures that are predicted on the wanted side before."""
    change = np.full(len(before), np.nan)
    change[(np.asarray(before) > 0.5) != wanted] = target_change(before, after, wanted=wanted)
    return change


def attribute_preservation(before: np.ndarray, after: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Per picture the share of the attributes in the mask `others` [K] whose prediction at 0.5 is unchanged.

    `before`, `after`: probabilities [n, K]. Returns [n]; its mean is the attribute preservation rate, because every
    attribute counts the same number of pictures.
    """
    others = np.asarray(others, bool)
    if not others.any():
        return np.full(len(before), np.nan)
    return ((np.asarray(before) > 0.5) == (np.asarray(after) > 0.5))[:, others].mean(axis=1)


def squared_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean squared difference [n] of pictures uint8 [n, H, W, 3], measured on the scale [-1, 1]."""
    if a.shape != b.shape:
        raise ValueError(f"pictures to compare must have one shape, got {list(a.shape)} and {list(b.shape)}")
    difference = (a.astype(np.float64) - b.astype(np.float64)) / 127.5
    return np.square(difference).reshape(len(a), -1).mean(axis=1)


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _squared_distances(queries: np.ndarray, references: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of rows of the squared Euclidean distances [n, m], each with the number of its first row."""
    # |a - b|^2 = |a|^2 + |b|^2 - 2ab loses digits far from zero: both sets are centred first.
    centre = references.mean(axis=0, dtype=np.float64)
    references = (references - centre).astype(references.dtype)
    lengths = np.square(references).sum(axis=1)
    for start in range(0, len(queries), _CHUNK_ROWS):
        rows = (queries[start : start + _CHUNK_ROWS] - centre).astype(references.dtype)
        yield start, np.maximum(np.square(rows).sum(axis=1)[:, None] + lengths - 2 * (rows @ references.T), 0)


def _share_inside(queries: np.ndarray, members: np.ndarray, k: int) -> float:
    radii = []
    for start, squared in _squared_distances(members, members):
        rows = np.arange(len(squared))
        squared[rows, start + rows] = 0  # each member is its own nearest, whatever the rounding says
        radii.append(np.partition(squared, k, axis=1)[:, k])
    reach = np.concatenate(radii)
    return sum(int((squared <= reach).any(axis=1).sum()) for _, squared in _squared_distances(queries, members)) / len(queries)


def _check_features(a: np.ndarray, b: np.ndarray, *, least_rows: int) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features must be [n, d] and [m, d], got {list(a.shape)} and {list(b.shape)}")
    if len(a) < least_rows:
        raise ValueError(f"at least {least_rows} rows of features are needed, got {len(a)}")

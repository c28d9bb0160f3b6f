"""What the labels say about a set of codes: correlations, changes that come with an edit, and sample weights.

Doubinsky et al. 2023, section 3.2 (weights) and 3.3 (gamma).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.core.errors import OptionError

__all__ = ["WEIGHTINGS", "Weights", "implied_changes", "label_correlation", "relevance", "sample_weights", "weight_attributes"]

WEIGHTINGS = ("target-matched", "printed", "uniform")

# Two labels count as excluding each other when they meet less than 2 % as often as they would by chance; the tolerance
# is for labels made by people, rendered ones never meet at all.
_CHANCE_SHARE = 0.02
# Below this expected number of meetings the absence of meetings says nothing.
_LEAST_EXPECTED = 5.0


@dataclass(frozen=True)
class Weights:
    """Masses of the source and target samples, each summing to 1."""

    source: np.ndarray
    """float64 [n_s]"""
    target: np.ndarray
    """float64 [n_t]"""
    missing: tuple[tuple[str, int, int], ...]
    """Combinations found on one side only, as (bits of the selected attributes, n_s, n_t); their samples have mass 0."""


def label_correlation(labels: np.ndarray) -> np.ndarray:
    """gamma [K, K]: absolute Pearson correlation of the columns of `labels` bool [N, K]; 0 where a column is constant."""
    values = np.asarray(labels, np.float64)
    centred = values - values.mean(axis=0)
    norms = np.sqrt(np.square(centred).sum(axis=0))
    products = centred.T @ centred
    scale = np.outer(norms, norms)
    return np.abs(np.divide(products, scale, out=np.zeros_like(products), where=scale > 0))


def implied_changes(labels: np.ndarray, k: int, direction: str) -> np.ndarray:
    """Which other attributes an edit of attribute `k` cannot leave alone, bool [K].

    Adding k changes l where k and l never meet (Bald and Long_Hair), or where k never comes without l (Sunglasses and
    Eyeglasses). Removing k changes l where l never comes without k; where k and l never meet, removing k leaves a place that
    l may have to fill (hair colours), so l is left out there too.
    """
    labels = np.asarray(labels, bool)
    has, lacks = labels[:, k], ~labels[:, k]

    def never(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        met = (one[:, None] & other).sum(axis=0)
        expected = one.sum() * other.sum(axis=0) / max(1, len(labels))
        return (expected >= _LEAST_EXPECTED) & (met < _CHANCE_SHARE * expected)

    implied = never(has, labels) | (never(has, ~labels) if direction == "add" else never(lacks, labels))
    implied[k] = False
    return implied


def relevance(labels: np.ndarray, k: int, direction: str) -> np.ndarray:
    """Weights [K] of the attribute cost (Eq. 5): ``1 - gamma_lk``, and 0 for k itself and for what the edit implies."""
    weights = 1 - label_correlation(labels)[k]
    weights[k] = 0
    weights[implied_changes(labels, k, direction)] = 0
    return weights


def weight_attributes(labels: np.ndarray, k: int, direction: str, count: int) -> np.ndarray:
    """Indices of the `count` attributes by whose combinations samples are weighted when none are named.

    They are those that confound k most: the highest absolute correlation with k among those that the edit can leave alone.
    """
    correlation = label_correlation(labels)[k]
    correlation[k] = -1
    correlation[implied_changes(labels, k, direction)] = -1
    order = np.argsort(-correlation, kind="stable")
    return np.sort(order[correlation[order] >= 0][:count])


def sample_weights(source: np.ndarray, target: np.ndarray, weighting: str) -> Weights:
    """Masses by combination of the selected attributes, ``source`` bool [n_s, m] and ``target`` bool [n_t, m].

    With n_s^A, n_t^A the numbers of samples that share the combination A:

        target-matched   a_i ~ n_t^A / n_s^A        the mass of every combination is the same on both sides
        printed          a_i ~ 1 / (n_t^A n_s^A)    as section 3.2 prints it
        uniform          a_i = 1 / n_s

    Target masses are uniform. Except for `uniform`, combinations that one side lacks get mass 0 on the other.
    Raises OptionError for an unknown weighting, or when the sides share no combination.
    """
    if weighting not in WEIGHTINGS:
        raise OptionError(f"--weighting must be one of {', '.join(WEIGHTINGS)}, got {weighting}")
    if weighting == "uniform" or source.shape[1] == 0:
        return Weights(np.full(len(source), 1 / len(source)), np.full(len(target), 1 / len(target)), ())
    m = source.shape[1]
    place = 1 << np.arange(m - 1, -1, -1)
    source_keys, target_keys = source @ place, target @ place
    n_s, n_t = (np.bincount(keys, minlength=1 << m).astype(np.float64) for keys in (source_keys, target_keys))
    shared = (n_s > 0) & (n_t > 0)
    if not shared.any():
        raise OptionError("No combination of the weighting attributes occurs on both sides of the edited one; select fewer.")
    per_sample = np.zeros(1 << m)
    per_sample[shared] = n_t[shared] / n_s[shared] if weighting == "target-matched" else 1 / (n_t[shared] * n_s[shared])
    a, b = per_sample[source_keys], shared[target_keys].astype(np.float64)
    one_sided = np.flatnonzero((n_s > 0) ^ (n_t > 0))
    missing = tuple((format(key, f"0{m}b"), int(n_s[key]), int(n_t[key])) for key in one_sided)
    return Weights(a / a.sum(), b / b.sum(), missing)

"""How years show: the curves that sampling and counterfactuals share."""

from __future__ import annotations

import numpy as np

from engines.data.faces.attributes import OLD_AGE_YEARS

__all__ = ["head_age", "wrinkles"]


def wrinkles(age_years: float, chance: float) -> float:
    """Strength of lines and folds; `chance` in 0..1 is the person's own share."""
    if age_years < OLD_AGE_YEARS:
        return 0.02 + 0.08 * chance
    return float(0.72 + 0.30 * np.clip((age_years - 52) / 25, 0, 1) + 0.2 * chance)


def head_age(age_years: float) -> float:
    """Coefficient of MakeHuman's local head-age target."""
    return float(np.interp(age_years, [18, 40, 52, 80], [-0.05, 0.05, 0.40, 0.95]))

"""``train stylespace``: the style channels that tell an attribute (StyleSpace, Wu et al. 2021).

With delta = (s - mean) / deviation the standardised styles, over all codes, a channel u is relevant to an attribute by

    theta_u = |mean of delta_u over codes with the attribute| / deviation of delta_u over them

An edit moves the most relevant channels, each by the difference of the class means.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from engines.core.arguments import bounded_int
from engines.core.errors import OptionError
from engines.editing.style_channels import StyleChannels
from engines.generators.stylegan2.styles import style_layers, styles_of
from engines.training.family_run import Material, add_family_arguments, run_family

__all__ = ["HELP", "StyleSpaceFit", "add_arguments", "channel_relevance", "run"]

HELP = "edit family StyleSpace: the style channels with the largest standardised effect"

_CODES = 8000
_EPSILON = 1e-6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_family_arguments(parser, steps=None)
    channels = bounded_int(1)
    parser.add_argument("--channels", type=channels, default=10, metavar="N", help="channels that an edit moves (default 10)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ranks the channels of every attribute; writes the family StyleSpace."""
    options = {"channels": arguments.channels}
    return run_family(arguments, "StyleSpace", options, lambda material: StyleSpaceFit(material, arguments.channels))


class StyleSpaceFit:
    """Channels of all attributes, ranked on the same styles."""

    most = 16.0

    def __init__(self, material: Material, channels: int) -> None:
        self._material, self._channels = material, channels
        self._layers = style_layers(material.pack.generator.synthesis)
        every = max(1, len(material.train) // _CODES)
        self._styles = styles_of(self._layers, material.train.codes[::every]).numpy()
        self._labels = material.train.labels[::every]

    def start(self) -> StyleChannels:
        return StyleChannels(self._material.attributes, [(layer.bias_name, layer.row, layer.width) for layer in self._layers])

    def fit(
        self, family: StyleChannels, attribute: str, deadline: float | None, report: Callable[[int, float], None]
    ) -> dict[str, Any]:
        has = self._labels[:, self._material.train.attributes.index(attribute)]
        if has.all() or not has.any():
            which = "has" if has.all() else "lacks"
            raise OptionError(f"Every picture {which} {attribute}; it cannot be learned from these.")
        relevance = channel_relevance(self._styles, has)
        chosen = np.argsort(-relevance, kind="stable")[: self._channels]
        gap = self._styles[has].mean(axis=0) - self._styles[~has].mean(axis=0)
        shift = np.zeros_like(gap)
        shift[chosen] = gap[chosen]
        family.shift[family.attributes.index(attribute)] = torch.from_numpy(shift)
        return {"channels": [self._name(int(channel)) for channel in chosen], "relevance": float(relevance[chosen[0]])}

    def _name(self, channel: int) -> str:
        """``b8.conv0:17`` for a column of the styles."""
        for layer in self._layers:
            if channel < layer.width:
                return f"{layer.name}:{channel}"
            channel -= layer.width
        raise IndexError(f"there is no style channel {channel} past the last")


def channel_relevance(styles: np.ndarray, has: np.ndarray) -> np.ndarray:
    """theta [S] of styles [n, S] for codes with the attribute, `has` bool [n]."""
    delta = (styles - styles.mean(axis=0)) / (styles.std(axis=0) + _EPSILON)
    return np.abs(delta[has].mean(axis=0)) / (delta[has].std(axis=0) + _EPSILON)

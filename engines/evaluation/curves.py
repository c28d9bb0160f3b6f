"""Line charts of the reports. Matplotlib comes with the training extra and is imported here, when a chart is drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from engines.core.errors import MissingExtraError

__all__ = ["Chart", "Line", "draw_charts"]


@dataclass(frozen=True)
class Line:
    """Points of one curve; NaN leaves a gap."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    band: tuple[Sequence[float], Sequence[float]] | None = None
    """Lower and upper ends of an interval around every y, drawn as a shade."""
    names: Sequence[str] = ()
    """A word beside every point; none by default."""


@dataclass(frozen=True)
class Chart:
    """One panel."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    scale: Literal["share", "log", "plain"] = "share"
    """share: y runs from 0 to 1. log: both axes are logarithmic and as long as the lines. plain: linear, as long as these."""


def draw_charts(charts: Sequence[Chart], *, columns: int, panel_px: int = 260) -> np.ndarray:
    """The charts side by side, uint8 RGB [H, W, 3]. Raises MissingExtraError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("Drawing curves needs matplotlib: pip install -r requirements-train.txt") from error
    rows = -(-len(charts) // columns)
    dpi = 100
    figure = Figure(figsize=(columns * panel_px / dpi, rows * panel_px / dpi), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    labels = list(dict.fromkeys(line.label for chart in charts for line in chart.lines))
    for index, chart in enumerate(charts):
        axes = figure.add_subplot(rows, columns, index + 1)
        for line in chart.lines:
            # One colour a label in all panels, also where a panel lacks some of the lines.
            colour = f"C{labels.index(line.label) % 10}"
            axes.plot(line.x, line.y, color=colour, marker=".", markersize=4, linewidth=1.2, label=line.label)
            if line.band is not None:
                axes.fill_between(line.x, *line.band, color=colour, alpha=0.2, linewidth=0)
            for name, x, y in zip(line.names, line.x, line.y, strict=False):
                if np.isfinite([x, y]).all():
                    axes.annotate(name, (x, y), xytext=(3, 3), textcoords="offset points", fontsize=7, color=colour)
        if any(line.names for line in chart.lines):
            axes.margins(x=0.2)  # room for the words beside the points on the right
        axes.set_title(chart.title, fontsize=9)
        axes.set_xlabel(chart.x_label, fontsize=8)
        axes.set_ylabel(chart.y_label, fontsize=8)
        if chart.scale == "share":
            axes.set_ylim(-0.03, 1.03)
        elif chart.scale == "log":
            axes.set_xscale("log")
            axes.set_yscale("log")
        axes.tick_params(which="both", labelsize=7)
        axes.grid(alpha=0.3)
        if index == 0 and chart.lines:
            axes.legend(fontsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))

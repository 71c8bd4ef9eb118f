"""What all benches print and draw: medians with their range, and bars of both ways side by side."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

COLOURS = {
    "naive": "#b0b7c3",
    "gevent": "#b0b7c3",
    "generator": "#93c5fd",
    "nchan": "#f59e0b",
    "ours": "#2563eb",
    "direct": "#2563eb",
    "relay": "#93c5fd",
    "debezium": "#f59e0b",
}
NAMES = {
    "naive": "the demo's way",
    "gevent": "gevent, a queue for each",
    "generator": "ours, generators",
    "nchan": "nginx with nchan",
    "ours": "ours",
    "direct": "direct",
    "relay": "relay",
    "debezium": "Debezium",
}
WIDTH = 0.8


@dataclass(frozen=True)
class Spread:
    """The median of some rounds and their range."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 2
        return f"{self.median:.{digits}f} ({self.least:.{digits}f} to {self.most:.{digits}f})"


@dataclass(frozen=True)
class Figure:
    """A bar: what was measured, of which variant."""

    group: str
    variant: str
    value: Spread


def median(values: Sequence[float]) -> Spread:
    """Return the median of the rounds with their range."""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted values; infinity when there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("inf")


def plot_bars(figures: Sequence[Figure], title: str, path: Path, scale: str = "linear") -> None:
    """Draw the variants of each group side by side into a PNG. scale: "linear" or "log"."""
    canvas = Canvas(figsize=(8, 3.5), layout="constrained")
    axes = canvas.subplots()
    draw_bars(axes, figures, title, scale)
    axes.legend(frameon=False)
    canvas.savefig(path, dpi=130)


def draw_bars(axes: Axes, figures: Sequence[Figure], title: str, scale: str = "linear") -> None:
    """Draw the variants of each group side by side, with the range of the rounds."""
    groups = list(dict.fromkeys(figure.group for figure in figures))
    variants = [name for name in COLOURS if any(figure.variant == name for figure in figures)]
    step = WIDTH / max(1, len(variants))
    for number, variant in enumerate(variants):
        bars = [figure for figure in figures if figure.variant == variant]
        shift = (number - (len(variants) - 1) / 2) * step
        places = [groups.index(figure.group) + shift for figure in bars]
        values = [figure.value.median for figure in bars]
        below = [figure.value.median - figure.value.least for figure in bars]
        above = [figure.value.most - figure.value.median for figure in bars]
        drawn = axes.bar(
            places, values, step * 0.95, color=COLOURS[variant], yerr=(below, above), capsize=3,
            label=NAMES[variant],
        )  # fmt: skip
        axes.bar_label(drawn, labels=[_label(value) for value in values], padding=3, fontsize=7)
    axes.set_yscale(scale)
    axes.set_xticks(range(len(groups)), groups)
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)


def _label(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"

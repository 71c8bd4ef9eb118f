"""What all benches print and draw: medians with their range, and bars of both ways side by side."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure as Canvas

COLOURS = {"naive": "#b0b7c3", "ours": "#2563eb"}
NAMES = {"naive": "the demo's way", "ours": "ours"}


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
    groups = list(dict.fromkeys(figure.group for figure in figures))
    canvas = Canvas(figsize=(8, 3.5), layout="constrained")
    axes = canvas.subplots()
    for shift, (variant, colour) in zip((-0.2, 0.2), COLOURS.items(), strict=True):
        bars = [figure for figure in figures if figure.variant == variant]
        places = [groups.index(figure.group) + shift for figure in bars]
        values = [figure.value.median for figure in bars]
        below = [figure.value.median - figure.value.least for figure in bars]
        above = [figure.value.most - figure.value.median for figure in bars]
        drawn = axes.bar(
            places, values, 0.38, color=colour, yerr=(below, above), capsize=3, label=NAMES[variant]
        )
        axes.bar_label(drawn, labels=[f"{value:,.0f}" for value in values], padding=3, fontsize=8)
    axes.set_yscale(scale)
    axes.set_xticks(range(len(groups)), groups)
    axes.set_title(title)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, dpi=130)

"""The picture of a run: cost, highest rate and memory side by side."""

from pathlib import Path

from matplotlib.figure import Figure as Canvas

from bench.fanout.results import Results
from bench.figures import Figure, draw_bars, median


def plot(results: Results, path: Path) -> None:
    """Draw what was measured into a PNG."""
    panels = {
        "CPU of the server, us for each event delivered": _cost(results),
        "Highest rate, events/s": _ceiling(results),
        "Memory of a viewer, KiB": _memory(results),
    }
    drawn = {title: figures for title, figures in panels.items() if figures}
    canvas = Canvas(figsize=(8, 3.2 * len(drawn)), layout="constrained")
    panes = canvas.subplots(len(drawn), 1, squeeze=False)[:, 0]
    for axes, (title, figures) in zip(panes, drawn.items(), strict=True):
        draw_bars(axes, figures, title, "log")
    canvas.legend(*panes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    canvas.savefig(path, dpi=130)


def _cost(results: Results) -> list[Figure]:
    return [
        Figure(str(load), name, median([each.cpu_us for each in rounds]))
        for load, variants in results.rates.items()
        for name, rounds in variants.items()
        if rounds
    ]


def _ceiling(results: Results) -> list[Figure]:
    return [
        Figure(f"{found.viewers:,} viewers", name, median([found.rate]))
        for name, found in results.ceiling.items()
        if found.rate
    ]


def _memory(results: Results) -> list[Figure]:
    return [
        Figure(f"{count:,} viewers", name, median([kib]))
        for name, found in results.memory_kib.items()
        for count, kib in found.items()
    ]

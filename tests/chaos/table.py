"""The table of a run in docs/delivery.md, between two comments; the suite writes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- begin: make chaos -->", "<!-- end: make chaos -->"
HEAD = (
    "| Fault | acknowledged | refused | unknown | repeats | longest pause | healthy again |",
    "|---|---:|---:|---:|---:|---:|---:|",
)


@dataclass(frozen=True)
class Row:
    """What happened from a fault to the end of its check; times in seconds. within_s: what is stated."""

    fault: str
    acknowledged: int
    refused: int
    unknown: int
    repeats: int
    pause_s: float
    recovered_s: float
    within_s: float

    def __str__(self) -> str:
        return (
            f"| {self.fault} | {self.acknowledged} | {self.refused} | {self.unknown} | {self.repeats} "
            f"| {self.pause_s:.1f} s | {self.recovered_s:.1f} s of {self.within_s:.0f} |"
        )


def write(page: Path, rows: Sequence[Row], note: str) -> None:
    """Replace what stands between the comments."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{page} has no place for the table"
    table = "\n".join([*HEAD, *map(str, rows)])
    page.write_text(f"{before}{BEGIN}\n{note}\n\n{table}\n{END}{after}")

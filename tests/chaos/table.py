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
    """Write the rows between the comments. A fault that was not run this time keeps its row."""
    before, _, rest = page.read_text().partition(BEGIN)
    written, end, after = rest.partition(END)
    assert end, f"{page} has no place for the table"
    lines = {fault_of(line): line for line in written.splitlines() if line.startswith("| ")}
    lines = {fault: line for fault, line in lines.items() if fault != fault_of(HEAD[0])}
    lines |= {row.fault: str(row) for row in rows}
    page.write_text("\n".join([f"{before}{BEGIN}", note, "", *HEAD, *lines.values(), f"{END}{after}"]))


def fault_of(line: str) -> str:
    """Return the first cell of a line of the table."""
    return line.split("|")[1].strip()

"""The clock of the whole machine is set forward by an hour, and back: for all processes of a stack."""

import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local_stack.services import RELAY
from tests.chaos.faults import dies_at
from tests.chaos.proxied_stack import ProxiedStack
from tests.chaos.table import Row
from tests.chaos.trial import Fault, Trial

SOURCE = Path(__file__).with_name("stepped_clock.c")
COMPILER = shutil.which("cc") or shutil.which("gcc")
HOUR_S = 3600


class SteppedStack(ProxiedStack):
    """A stack whose processes see the time of day as set_clock says."""

    def __init__(self, home: Path):
        super().__init__(home)
        self._offset, library = home / "clock", home / "stepped_clock.so"
        self._offset.write_bytes(struct.pack("q", 0))
        assert COMPILER
        command = [
            COMPILER,
            "-O2",
            "-Wall",
            "-Werror",
            "-shared",
            "-fPIC",
            str(SOURCE),
            "-o",
            str(library),
            "-ldl",
        ]
        subprocess.run(command, check=True, timeout=60)
        self.variables = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(self._offset)}

    def begin(self) -> None:
        """Start all; commands that come later see the real time, which the times of files are in as well."""
        super().begin()
        self.variables = {}

    def set_clock(self, offset_s: int) -> None:
        """Set how far the clock is off, in the same moment for all processes."""
        with self._offset.open("r+b", buffering=0) as file:
            file.write(struct.pack("q", offset_s))


def stepped(stack: SteppedStack, offset_s: int) -> Fault:
    """Return the step, with rows that are dated by the clock of before: an event whose producer has died before it
    could publish it, and one that follows another."""

    @contextmanager
    def inject(trial: Trial) -> Iterator[None]:
        trial.stack.signal(RELAY, signal.SIGSTOP, whole=True)
        trial.place_and_change()
        with dies_at("after-commit")(trial):
            stack.set_clock(offset_s)
            trial.stack.let_run(RELAY)
            yield

    word = "forward" if offset_s else "back"
    return Fault(f"the clock of the machine set {word} by an hour", inject, 60, 5)


@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
@pytest.mark.timeout(400)
def test_clock_is_set_forward_and_back(record: list[Row]) -> None:
    with SteppedStack.started() as stack, Trial.started(stack) as trial:
        record.append(trial.run(stepped(stack, HOUR_S)))
        record.append(trial.run(stepped(stack, 0)))

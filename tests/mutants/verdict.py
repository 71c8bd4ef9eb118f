"""Runs tests in a copy, and says what their outcome means for the mistake in it."""

import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from tests.mutants.copy import Copy

DEADLINE_S = 300.0
# Tests that are interrupted stop the stack that they have started.
INTERRUPT_S = 30.0
OK, TESTS_FAILED = 0, 1
NOT_OURS = ("PYTEST_CURRENT_TEST", "PYTEST_XDIST", "PYTHONPATH")
TAG = "ORDER_STREAM_MUTANTS"

Outcome = Literal["caught", "survived", "error"]


@dataclass(frozen=True)
class Verdict:
    """detail: the test that failed, or what went wrong."""

    outcome: Outcome
    seconds: float
    detail: str


def judge(copy: Copy, tests: Sequence[str], deadline_s: float = DEADLINE_S) -> Verdict:
    """Run the tests until one fails.

    Caught: a test has failed. A mistake that does not even let the tests be loaded, or their fixtures be made, shows
    nothing about the tests: it is an error of the mutant.
    """
    began = time.monotonic()
    report = copy.temporary / "report.xml"
    report.unlink(missing_ok=True)
    try:
        code, output = _run(copy, [*tests, "-x", "-q", f"--junitxml={report}"], deadline_s)
    except subprocess.TimeoutExpired:
        return Verdict("error", time.monotonic() - began, f"no end within {deadline_s:g} s")
    seconds = time.monotonic() - began
    failed, broken = _failed(report, "failure"), _failed(report, "error")
    if code == OK:
        return Verdict("survived", seconds, "")
    if code == TESTS_FAILED and failed:
        return Verdict("caught", seconds, failed)
    return Verdict("error", seconds, f"{broken or 'pytest'}: {_reason(output)}")


def _run(copy: Copy, arguments: Sequence[str], deadline_s: float) -> tuple[int, str]:
    """Run pytest in a session of its own; whatever ends this function ends all that it has started."""
    output = copy.temporary / "output.txt"
    with output.open("w") as file:
        child = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=copy.root, env=_environment(copy), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip
    try:
        code = child.wait(deadline_s)
    finally:
        _end(child, copy)
    return code, output.read_text()


def _environment(copy: Copy) -> dict[str, str]:
    """Return ours, without what a pytest around this one has set, and with a tag to find all that is started by."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
    return ours | {"TMPDIR": str(copy.temporary), "REQUIRE_BROWSER": "1", TAG: str(copy.root)}


def _end(child: subprocess.Popen[bytes], copy: Copy) -> None:
    """End pytest so that it stops what it has started, and kill what is left, daemons too."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(INTERRUPT_S)
    while left := [process for process in psutil.process_iter() if _tag(process) == str(copy.root)]:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1)
    child.wait()


def _tag(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(TAG)
    except psutil.Error:  # it has ended, or belongs to somebody else
        return None


def _failed(report: Path, kind: Literal["failure", "error"]) -> str:
    """Return the name of the first test with this kind of outcome, or ""."""
    try:
        cases = ElementTree.parse(report).getroot().iter("testcase")
    except (OSError, ElementTree.ParseError):
        return ""
    return next((_name(case) for case in cases if case.find(kind) is not None), "")


def _name(case: ElementTree.Element) -> str:
    module = case.get("classname", "").rpartition("tests.")[2]
    return f"{module}::{case.get('name')}" if module else case.get("name", "")


def _reason(output: str) -> str:
    """Return the line of pytest's output that says most: an exception, else the last one."""
    lines = [line for line in output.splitlines() if line.strip()]
    said = [line.removeprefix("E").strip() for line in lines if line.startswith("E  ")]
    raised = [line for line in said if re.match(r"[\w.]+(Error|Exception|Failed): |assert ", line)]
    return raised[0] if raised else (lines or ["it printed nothing"])[-1]

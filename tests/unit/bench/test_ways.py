"""A program that is kept running, as `python -m bench.compare` keeps the demo's web server."""

import os

import pytest

from bench.compare import ways
from bench.compare.ways import Restarted
from bench.publish import wait_until


def test_killed_program_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "CHECK_S", 0)
    with Restarted(["sleep", "60"], os.environ) as program:
        for _ in range(20):
            killed = program.processes()
            program.kill()
            assert not any(process.is_running() for process in killed)
            wait_until(lambda: any(process.is_running() for process in program.processes()), 10)
    assert not any(process.is_running() for process in program.processes())

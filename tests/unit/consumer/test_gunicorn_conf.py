"""gunicorn's hooks: the worker dies with its master, and services start and stop with the worker."""

import resource
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.project import ROOT

CONFIGURATION = ROOT / "consumer_service" / "gunicorn.conf.py"
AS_A_WORKER = """
import ctypes, os, runpy, sys
from types import SimpleNamespace
post_fork = runpy.run_path(sys.argv[1])["post_fork"]
post_fork(SimpleNamespace(pid=os.getppid() + int(sys.argv[2])), None)
signal, pr_get_pdeathsig = ctypes.c_int(), 2
ctypes.CDLL(None).prctl(pr_get_pdeathsig, ctypes.byref(signal))
print(signal.value)
"""


class FakeServices:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def join(self) -> None:
        self.calls.append("join")


def worker(services: FakeServices | None) -> Any:
    """gunicorn's worker; without an application it could not be loaded."""
    return SimpleNamespace(wsgi=services and SimpleNamespace(extensions={"services": services}))


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Callable[..., None]]]:
    """The hooks; what they change of this process is undone."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    limits, handler = resource.getrlimit(resource.RLIMIT_NOFILE), signal.getsignal(signal.SIGTERM)
    yield runpy.run_path(str(CONFIGURATION))
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    signal.signal(signal.SIGTERM, handler)


def run_as_worker(master_differs_by: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", AS_A_WORKER, str(CONFIGURATION), str(master_differs_by)],
        cwd=CONFIGURATION.parent,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_worker_is_killed_when_its_master_dies() -> None:
    assert run_as_worker(0).stdout == "9\n"


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_worker_whose_master_died_before_it_asked_ends() -> None:
    assert run_as_worker(1).returncode == 1


def test_sigterm_ends_the_streams_before_gunicorn_waits_for_them(
    hooks: dict[str, Callable[..., None]],
) -> None:
    services, order = FakeServices(), list[str]()
    signal.signal(signal.SIGTERM, lambda number, frame: order.append(",".join(services.calls)))
    hooks["post_worker_init"](worker(services))
    assert services.calls == ["start"]
    signal.raise_signal(signal.SIGTERM)
    assert order == ["start,stop"]


def test_worker_waits_for_its_threads_at_its_end(hooks: dict[str, Callable[..., None]]) -> None:
    services = FakeServices()
    hooks["worker_exit"](None, worker(services))
    assert services.calls == ["stop", "join"]


def test_worker_without_an_application_ends_quietly(hooks: dict[str, Callable[..., None]]) -> None:
    hooks["worker_exit"](None, worker(None))


def test_as_many_files_may_be_open_as_the_system_allows(hooks: dict[str, Callable[..., None]]) -> None:
    """Each stream is one, and many systems begin with 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
    hooks["post_worker_init"](worker(FakeServices()))
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)


def test_one_process_reads_the_topic_for_all_viewers(hooks: dict[str, Any]) -> None:
    assert hooks["workers"] == 1

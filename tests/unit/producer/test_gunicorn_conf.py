"""gunicorn's hooks: the worker dies with its master, and services start and stop with the worker."""

import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from producer.config import Settings
from producer.services import create_services
from tests.project import ROOT

CONFIGURATION = ROOT / "producer_service" / "gunicorn.conf.py"
AS_A_WORKER = """
import ctypes, os, runpy, sys
from types import SimpleNamespace
post_fork = runpy.run_path(sys.argv[1])["post_fork"]
post_fork(SimpleNamespace(pid=os.getppid() + int(sys.argv[2])), None)
signal, pr_get_pdeathsig = ctypes.c_int(), 2
ctypes.CDLL(None).prctl(pr_get_pdeathsig, ctypes.byref(signal))
print(signal.value)
"""


@pytest.fixture
def hooks() -> dict[str, Callable[..., None]]:
    return runpy.run_path(str(CONFIGURATION))


class FakeServices:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")


def worker(services: FakeServices | None) -> Any:
    """gunicorn's worker; without an application it could not be loaded."""
    return SimpleNamespace(wsgi=services and SimpleNamespace(extensions={"services": services}))


def run_as_worker(master_differs_by: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", AS_A_WORKER, str(CONFIGURATION), str(master_differs_by)],
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


def test_services_start_and_stop_with_the_worker(hooks: dict[str, Callable[..., None]]) -> None:
    services = FakeServices()
    hooks["post_worker_init"](worker(services))
    hooks["worker_exit"](None, worker(services))
    assert services.calls == ["start", "stop"]


def test_worker_without_an_application_ends_quietly(hooks: dict[str, Callable[..., None]]) -> None:
    hooks["worker_exit"](None, worker(None))


def test_stop_delivers_what_is_queued_before_it_lets_the_database_go() -> None:
    services = create_services(
        Settings(database_url="postgresql://u:p@127.0.0.1:1/d", kafka_bootstrap_servers="127.0.0.1:1")
    )
    calls: list[str] = []

    def recorder(name: str) -> Callable[..., None]:
        return lambda *arguments: calls.append(name)

    replace(
        services,
        publisher=SimpleNamespace(close=recorder("publisher")),  # type: ignore[arg-type]
        notifier=SimpleNamespace(close=recorder("notifier")),  # type: ignore[arg-type]
        database=SimpleNamespace(engine=SimpleNamespace(dispose=recorder("database"))),  # type: ignore[arg-type]
    ).stop()
    assert calls == ["publisher", "notifier", "database"]


def test_stop_is_shorter_than_the_graceful_timeout(hooks: dict[str, Any]) -> None:
    """A request may wait for the database, then the flush to Kafka: both end before gunicorn kills the worker."""
    flush_s, database_timeout_s = 5, 5
    assert hooks["graceful_timeout"] > flush_s + database_timeout_s

"""gunicorn's settings and hooks of the services with one worker.

The producer's: tests/unit/producer/test_gunicorn_conf.py
"""

import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.project import ROOT

SINGLE = ("consumer_service", "kafka_page", "projector_service")
JOINING = ("consumer_service", "projector_service")
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
    """Notes what it is told to do, and what it is told last by gunicorn's own handler."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def join(self) -> None:
        self.calls.append("join")


@pytest.fixture(autouse=True)
def signals_are_restored() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def configuration(service: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / service / "gunicorn.conf.py"))


def worker(services: FakeServices | None) -> Any:
    """gunicorn's worker; without an application it could not be loaded."""
    return SimpleNamespace(wsgi=services and SimpleNamespace(extensions={"services": services}))


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
@pytest.mark.parametrize("service", SINGLE)
def test_worker_is_killed_with_its_master_also_one_that_died_before(service: str) -> None:
    def run(master_differs_by: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", AS_A_WORKER, str(ROOT / service / "gunicorn.conf.py")]
        return subprocess.run(
            [*command, str(master_differs_by)], cwd=ROOT, capture_output=True, text=True, timeout=30
        )

    assert run(0).stdout == f"{int(signal.SIGKILL)}\n"
    assert run(1).returncode == 1


@pytest.mark.parametrize("service", SINGLE)
def test_sigterm_ends_the_services_before_gunicorn_waits_for_requests(service: str) -> None:
    services = FakeServices()
    own: Callable[..., None] = lambda number, frame: services.calls.append("gunicorn's own")  # noqa: E731
    signal.signal(signal.SIGTERM, own)
    configuration(service)["post_worker_init"](worker(services))
    signal.raise_signal(signal.SIGTERM)
    assert services.calls == ["start", "stop", "gunicorn's own"]


@pytest.mark.parametrize("service", JOINING)
def test_exit_of_a_worker_stops_its_services_and_waits_for_them(service: str) -> None:
    services = FakeServices()
    configuration(service)["worker_exit"](None, worker(services))
    assert services.calls == ["stop", "join"]
    configuration(service)["worker_exit"](None, worker(None))


@pytest.mark.parametrize("service", [*SINGLE, "producer_service"])
def test_gunicorn_opens_no_control_socket_and_its_heartbeat_is_on_no_disk(service: str) -> None:
    found = configuration(service)
    assert found["control_socket_disable"] is True
    assert found["forwarder_headers"] == ""
    assert found["worker_tmp_dir"] in ("/dev/shm", None)


@pytest.mark.parametrize("service", SINGLE)
def test_one_worker_reads_the_topic(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")  # the producer's
    found = configuration(service)
    assert found["workers"] == 1
    assert found["graceful_timeout"] == 5


def test_half_a_request_holds_no_thread_of_the_projector() -> None:
    found = configuration("projector_service")
    assert (found["worker_class"], found["threads"]) == ("head_first_worker.HeadFirstWorker", 8)


def test_consumers_worker_takes_heads_first_and_viewers_hold_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FANOUT", raising=False)
    found = configuration("consumer_service")
    assert (found["worker_class"], found["threads"]) == ("head_first_worker.HeadFirstWorker", 8)
    monkeypatch.setenv("FANOUT", "generator")
    assert configuration("consumer_service")["threads"] > 100

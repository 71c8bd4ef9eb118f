import logging
import os
import signal
import threading

import pytest

from consumer.background import Background
from tests.eventually import eventually


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The pid and signal number of every os.kill, none of which is carried out."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


def wait_for_stop(stopping: threading.Event) -> None:
    stopping.wait()


def return_at_once(stopping: threading.Event) -> None:
    return


def test_background_thread_that_ends_by_itself_terminates_its_process(
    signals: list[tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    background = Background({"tail": return_at_once, "fanout": wait_for_stop})
    with caplog.at_level(logging.CRITICAL):
        background.start()
        eventually(lambda: signals)
    background.stop()
    background.join()
    assert signals == [(os.getpid(), signal.SIGTERM)]
    assert "tail" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_background_thread_that_raises_terminates_its_process(signals: list[tuple[int, int]]) -> None:
    def fail(stopping: threading.Event) -> None:
        raise RuntimeError("a defect")

    background = Background({"tail": fail})
    background.start()
    background.join()
    assert signals == [(os.getpid(), signal.SIGTERM)]


def test_background_threads_end_on_stop_without_a_signal(signals: list[tuple[int, int]]) -> None:
    background = Background({"first": wait_for_stop, "second": wait_for_stop})
    background.start()
    background.stop()
    background.join()
    assert signals == []
    assert {"first", "second"}.isdisjoint(thread.name for thread in threading.enumerate())

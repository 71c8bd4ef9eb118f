import threading

import pytest

from producer.relay.readback_thread import ReadBackEnded, ReadBackThread


class FakeReadBack:
    def __init__(self, *, fails: bool = False):
        self.fails, self.stepped, self.closed = fails, threading.Event(), False

    def step(self) -> float:
        self.stepped.set()
        if self.fails:
            raise RuntimeError("a bug")
        return 0.01

    def close(self) -> None:
        self.closed = True


def test_read_back_thread_steps_until_it_is_closed() -> None:
    readback = FakeReadBack()
    thread = ReadBackThread(readback)  # type: ignore[arg-type]
    thread.start()
    assert readback.stepped.wait(5)
    thread.check()
    thread.close(5)
    assert readback.closed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_read_back_thread_that_died_is_noticed() -> None:
    thread = ReadBackThread(FakeReadBack(fails=True))  # type: ignore[arg-type]
    thread.start()
    thread.close(5)
    with pytest.raises(ReadBackEnded):
        thread.check()

"""The whole system; the tests talk to it through HTTP and SSE only."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import Stack
from tests.e2e.viewer import Viewer
from tests.eventually import eventually


@pytest.fixture
def view(running: Stack) -> Iterator[Callable[[], Viewer]]:
    """Opens a stream that is live when it is returned, and closes it after the test."""
    with ExitStack() as open_streams:

        def open_stream() -> Viewer:
            viewer = open_streams.enter_context(Viewer(running.env["CONSUMER_URL"] + "/stream"))
            eventually(viewer.is_live)
            return viewer

        yield open_stream

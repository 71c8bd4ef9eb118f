"""What only holds in containers. `make test-compose` runs this folder and the same tests/e2e as natively."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.compose.stack import ComposeStack
from tests.e2e.viewer import Viewer
from tests.eventually import eventually
from tests.stack import Stack

View = Callable[[], Viewer]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Part of the suite only where it is asked for: a plain `make test` needs no Docker."""
    if config.getoption("--stack") != "compose":
        here = [item for item in items if "tests/compose" in item.path.as_posix()]
        config.hook.pytest_deselected(items=here)
        items[:] = [item for item in items if item not in here]


@pytest.fixture
def project(running: Stack) -> ComposeStack:
    assert isinstance(running, ComposeStack)
    return running


@pytest.fixture
def view(running: Stack) -> Iterator[View]:
    with ExitStack() as open_streams:

        def open_stream() -> Viewer:
            viewer = open_streams.enter_context(Viewer(running.env["CONSUMER_URL"] + "/stream"))
            eventually(viewer.is_live)
            return viewer

        yield open_stream

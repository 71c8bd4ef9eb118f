"""What only holds in containers. `make test-compose` runs this folder and the same tests/e2e as natively."""

import pytest

from tests.compose.stack import ComposeStack
from tests.stack import Stack


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

"""Tests of the containers. `make test-compose` runs this folder, and the same tests/e2e as natively."""

import pytest

from tests.compose.stack import ComposeStack
from tests.stack import Stack


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect this folder unless Compose was asked for: a plain `make test` needs no Docker."""
    if config.getoption("--stack") != "compose":
        here = [item for item in items if "tests/compose" in item.path.as_posix()]
        config.hook.pytest_deselected(items=here)
        items[:] = [item for item in items if item not in here]


@pytest.fixture
def project(running_stack: Stack) -> ComposeStack:
    assert isinstance(running_stack, ComposeStack)
    return running_stack

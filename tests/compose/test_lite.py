"""deploy/lite: the small stack, as `./start_project.sh --lite` starts it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.stack import ComposeStack
from tests.e2e.viewer import Viewer
from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import clone


@pytest.fixture
def small(tmp_path: Path) -> Iterator[ComposeStack]:
    clone(tmp_path)
    stack = ComposeStack(tmp_path, "order-stream-lite", "docker-compose.yml", "--lite")
    stack.run("reset", "--yes")
    yield stack
    stack.run("reset", "--yes")


def test_lite_stack_works_with_one_broker(small: ComposeStack) -> None:
    small.run("start", within=300)
    assert set(small.services()) == {"postgres", "kafka-1", "producer", "relay", "consumer", "gateway"}
    shop = Shop(small.env["PRODUCER_URL"])
    with Viewer(small.env["CONSUMER_URL"] + "/stream") as viewer:
        eventually(viewer.is_live)
        placed = [shop.place() for _ in range(10)]
        eventually(lambda: viewer.has_seen(placed))
    eventually(lambda: shop.outbox_rows() == 0)
    assert shop.ready()["status"] == "ok"

"""The small stack of deploy/lite, as `./start_project.sh --lite` starts it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.services import APPS, BROKERS, POSTGRES
from tests.compose.stack import GATEWAY, ComposeStack
from tests.e2e.viewer import Viewer
from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import clone


@pytest.fixture
def lite_stack(tmp_path: Path) -> Iterator[ComposeStack]:
    clone(tmp_path)
    stack = ComposeStack(tmp_path, "order-stream-lite", "docker-compose.yml", "--lite")
    stack.run("reset", "--yes")
    yield stack
    stack.run("reset", "--yes")


def test_lite_stack_works_with_one_broker(lite_stack: ComposeStack) -> None:
    said = lite_stack.run("start", within=300).stdout
    assert "kafka-ui" not in said, said
    assert set(lite_stack.services()) == {POSTGRES, BROKERS[0], *APPS, GATEWAY}
    shop = Shop(lite_stack.env["PRODUCER_URL"])
    with Viewer(lite_stack.env["CONSUMER_URL"] + "/stream") as viewer:
        eventually(viewer.is_live)
        placed = [shop.place() for _ in range(10)]
        eventually(lambda: viewer.has_seen(placed))
    eventually(lambda: shop.count_outbox_rows() == 0)
    assert shop.health()["status"] == "ok"

"""PUBLISHER=debezium with Docker: the profile cdc, as `./start_project.sh` starts it, and back again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.services import CDC
from tests.compose.stack import ComposeStack
from tests.e2e.viewer import Viewer
from tests.eventually import eventually
from tests.shop import Shop
from tests.stack import clone

SLOTS = "SELECT slot_name FROM pg_replication_slots"


@pytest.fixture
def cdc_stack(tmp_path: Path) -> Iterator[ComposeStack]:
    clone(tmp_path)
    stack = ComposeStack(tmp_path, "order-stream-cdc", "docker-compose.yml", "--lite")
    stack.run("reset", "--yes")
    stack.settings["PUBLISHER"] = "debezium"
    yield stack
    stack.run("reset", "--yes")


def slots(stack: ComposeStack) -> str:
    return stack.compose("exec", "-T", "postgres", "psql", "-U", "orders", "-Atc", SLOTS).strip()


@pytest.mark.timeout(900)
def test_debezium_publishes_and_is_gone_with_another_publisher(cdc_stack: ComposeStack) -> None:
    cdc_stack.run("start", within=600)
    del cdc_stack.settings["PUBLISHER"]  # later commands remember it
    assert set(CDC) <= set(cdc_stack.services())
    eventually(cdc_stack.is_healthy, within=120)
    shop = Shop(cdc_stack.env["PRODUCER_URL"])
    with Viewer(cdc_stack.env["CONSUMER_URL"] + "/stream") as viewer:
        eventually(viewer.is_live)
        # By Debezium: the relay would take 10 s.
        placed = [shop.place() for _ in range(10)]
        eventually(lambda: viewer.has_seen(placed), within=9)
        eventually(lambda: shop.count_outbox_rows() == 0)

        cdc_stack.settings["PUBLISHER"] = "direct"
        cdc_stack.run("start", within=300)
        assert not set(CDC) & set(cdc_stack.services())
        assert slots(cdc_stack) == ""
        placed.append(shop.place())
        eventually(lambda: viewer.has_seen(placed))

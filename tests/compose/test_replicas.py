"""More than one of each behind the gateway, under load, and any of them killed."""

from collections.abc import Iterator

import pytest

from tests.compose.stack import ComposeStack
from tests.e2e.customer import Customer
from tests.e2e.viewer import View, Viewer
from tests.eventually import eventually
from tests.shop import Shop


@pytest.fixture(scope="module")
def scaled(running: ComposeStack) -> Iterator[ComposeStack]:
    yield running
    running.run("scale", "producer=1", "consumer=1")


def names(stack: ComposeStack) -> set[str]:
    return {name for name, row in stack.services().items() if row["health"] == "healthy"}


def is_complete(viewers: list[Viewer], placed: list[str]) -> None:
    for viewer in viewers:
        eventually(lambda viewer=viewer: viewer.has_seen(placed), within=60)
        assert not [data for name, data in viewer.named if name == "gap"]


def test_scaling_up_under_load_loses_no_order(scaled: ComposeStack, shop: Shop, view: View) -> None:
    before = [view() for _ in range(3)]
    with Customer(shop) as customer:
        customer.goes_on(20)
        scaled.run("scale", "producer=2", "consumer=3")
        after = [view() for _ in range(12)]
        begun = len(customer.acknowledged)
        customer.goes_on(100)
    assert names(scaled) >= {"producer", "producer-2", "consumer", "consumer-2", "consumer-3"}
    is_complete(before, customer.acknowledged)
    is_complete(after, customer.acknowledged[begun:])
    open_streams = [
        scaled.compose("exec", "-T", "--index", str(number), "consumer", "python", "-c", STREAMS).strip()
        for number in (1, 2, 3)
    ]
    assert "0" not in open_streams, f"streams of each replica: {open_streams}"


STREAMS = (
    "import json, urllib.request as r;"
    "print(json.load(r.urlopen('http://127.0.0.1:5002/health/ready'))['checks']['streams']['open'])"
)


@pytest.mark.parametrize("service", ["consumer-2", "producer-2", "relay", "kafka-1"])
def test_killed_replica_loses_no_order(scaled: ComposeStack, shop: Shop, view: View, service: str) -> None:
    viewers = [view() for _ in range(6)]
    with Customer(shop) as customer:
        customer.goes_on(20)
        scaled.kill(service)
        customer.goes_on(100)
    is_complete(viewers, customer.acknowledged)
    eventually(lambda: scaled.run("status", check=False).returncode == 0, within=60)
    eventually(lambda: shop.outbox_rows() == 0, within=40)


def test_start_keeps_the_number_of_replicas(scaled: ComposeStack) -> None:
    scaled.run("start")
    assert "consumer-3" in names(scaled)


def test_invalid_scale_is_refused(scaled: ComposeStack) -> None:
    for wish in ("postgres=2", "consumer=0", "kafka-1=2", "consumer"):
        done = scaled.run("scale", wish, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")

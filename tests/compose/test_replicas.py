"""Several replicas behind the gateway, under load, while replicas are added or killed."""

import json
from collections.abc import Iterator
from functools import partial

import pytest
import requests

from local_stack.services import BROKERS, CONSUMER, PRODUCER, PROJECTOR, RELAY
from tests.compose.stack import ComposeStack
from tests.e2e.customer import Customer
from tests.e2e.viewer import OpenViewer, Viewer
from tests.eventually import eventually
from tests.shop import Shop


@pytest.fixture(scope="module")
def scaled_stack(running_stack: ComposeStack) -> Iterator[ComposeStack]:
    yield running_stack
    running_stack.run("scale", "producer=1", "consumer=1", "projector=1")


def healthy_services(stack: ComposeStack) -> set[str]:
    return {name for name, row in stack.services().items() if row["health"] == "healthy"}


def assert_all_shown(viewers: list[Viewer], placed: list[str]) -> None:
    for viewer in viewers:
        eventually(partial(viewer.has_seen, placed), within=60)
        assert not viewer.gaps()


def test_scaling_up_under_load_loses_no_order(
    scaled_stack: ComposeStack, shop: Shop, open_viewer: OpenViewer
) -> None:
    before = [open_viewer() for _ in range(3)]
    with Customer(shop) as customer:
        customer.place_more(20)
        scaled_stack.run("scale", "producer=2", "consumer=3")
        after = [open_viewer() for _ in range(12)]
        already_placed = len(customer.acknowledged)
        customer.place_more(100)
    replicas = {PRODUCER, f"{PRODUCER}-2", CONSUMER, f"{CONSUMER}-2", f"{CONSUMER}-3"}
    assert healthy_services(scaled_stack) >= replicas
    assert_all_shown(before, customer.acknowledged)
    assert_all_shown(after, customer.acknowledged[already_placed:])
    open_streams = [
        scaled_stack.compose(
            "exec", "-T", "--index", str(number), CONSUMER, "python", "-c", COUNT_OPEN_STREAMS
        ).strip()
        for number in (1, 2, 3)
    ]
    assert "0" not in open_streams, f"streams of each replica: {open_streams}"


COUNT_OPEN_STREAMS = (
    "import json, urllib.request as r;"
    "print(json.load(r.urlopen('http://127.0.0.1:5002/health/ready'))['checks']['streams']['open'])"
)


@pytest.mark.parametrize("service", [f"{CONSUMER}-2", f"{PRODUCER}-2", RELAY, BROKERS[0]])
def test_killed_replica_loses_no_order(
    scaled_stack: ComposeStack, shop: Shop, open_viewer: OpenViewer, service: str
) -> None:
    viewers = [open_viewer() for _ in range(6)]
    with Customer(shop) as customer:
        customer.place_more(20)
        scaled_stack.kill(service)
        customer.place_more(100)
    assert_all_shown(viewers, customer.acknowledged)
    eventually(scaled_stack.is_healthy, within=60)
    eventually(lambda: shop.count_outbox_rows() == 0, within=40)


def test_start_keeps_the_number_of_replicas(scaled_stack: ComposeStack) -> None:
    scaled_stack.run("start")
    assert "consumer-3" in healthy_services(scaled_stack)


PRINT_HEALTH = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:5003/health/ready').read().decode())"
)


def members(stack: ComposeStack) -> dict[str, list[int]]:
    """Return the partitions of each of the three projectors, by its name in the group; AssertionError unless shared."""
    found = {}
    for number in (1, 2, 3):
        text = stack.compose("exec", "-T", "--index", str(number), PROJECTOR, "python", "-c", PRINT_HEALTH)
        group = json.loads(text)["checks"]["group"]
        found[group["instance"]] = group["partitions"]
    assert sorted(each for partitions in found.values() for each in partitions) == list(range(6)), found
    assert [len(partitions) for partitions in found.values()] == [2, 2, 2], found
    return found


def test_projectors_share_the_partitions_under_names_that_outlive_a_restart(
    scaled_stack: ComposeStack, shop: Shop
) -> None:
    scaled_stack.run("scale", "projector=3")
    before = eventually(partial(members, scaled_stack), within=60)
    with Customer(shop) as customer:
        customer.place_more(20)
        # Not the script's: Compose up to 2.29 makes containers anew for it (docker/compose#12069).
        scaled_stack.compose("restart", PROJECTOR)
        customer.place_more(20)
    assert eventually(partial(members, scaled_stack), within=60).keys() == before.keys()
    scaled_stack.run("stop", PROJECTOR)
    scaled_stack.run("start")
    assert eventually(partial(members, scaled_stack), within=60).keys() == before.keys()
    stored = shop.count_orders()

    def all_counted() -> bool:
        """The gateway asks one and another of them: all answer from one read model."""
        answers = [requests.get(f"{scaled_stack.env['PROJECTOR_URL']}/stats", timeout=10) for _ in range(9)]
        assert [answer.json()["orders"] for answer in answers] == [stored] * 9
        return True

    eventually(all_counted, within=60)


def test_invalid_scale_is_refused(scaled_stack: ComposeStack) -> None:
    for wish in ("postgres=2", "consumer=0", "kafka-1=2", "consumer"):
        done = scaled_stack.run("scale", wish, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")

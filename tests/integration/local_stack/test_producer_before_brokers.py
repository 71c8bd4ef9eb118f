"""A producer that was started before there was a broker, or whose start was killed before it made the topic."""

from local_stack.services import BROKERS, PRODUCER
from tests.shop import Shop
from tests.stack import Stack


def test_next_start_makes_the_topic() -> None:
    with Stack.started() as stack:
        stack.run("stop", *BROKERS)
        stack.run("start", PRODUCER)
        started = stack.run("start")
        assert "topics     done" in started.stdout
        Shop(stack.env["PRODUCER_URL"]).place()
        assert stack.is_healthy()

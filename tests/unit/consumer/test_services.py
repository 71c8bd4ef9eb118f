"""Every setting reaches the part that it is for."""

from collections.abc import Iterator
from typing import Any

import pytest

from consumer import MAX_BODY_BYTES, create_app
from consumer.config import GENERATOR_STREAMS, Settings
from consumer.fanout.policy import FanoutPolicy
from consumer.services import Services, create_services
from consumer.topic.kafka import TopicAdmin
from tests.clock import FakeClock


def settings(**changes: Any) -> Settings:
    """Return settings of which none is the default."""
    values: dict[str, Any] = {
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "kafka_topic": "other",
        "kafka_stats_topic": "other-stats",
        "ring_events": 500,
        "ring_bytes": 3 << 20,
        "event_bytes": 5000,
        "orders_remembered": 600,
        "max_streams": 700,
        "client_buffer_bytes": 9000,
        "client_stall_s": 8.5,
        "flush_window_s": 0.5,
        "heartbeat_s": 7.5,
        "stale_after_s": 6.5,
        "watch_interval_s": 5.5,
        "history_timeout_s": 3.5,
        "test_event_interval_s": 2.5,
    }
    return Settings(**values | changes)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def services(clock: FakeClock) -> Iterator[Services]:
    services = create_services(settings(), clock)
    yield services
    services.close()


def test_ring_is_as_large_as_the_settings_say_and_is_filled_at_the_start(services: Services) -> None:
    assert (services.ring._max_events, services.ring._max_bytes) == (500, 3 << 20)
    assert (services.tail._history, services.tail._backfill_bytes) == (500, 3 << 20)


def test_events_are_bounded_and_orders_are_remembered_as_the_settings_say(services: Services) -> None:
    assert services.tail._event_bytes == services.history._event_bytes == 5000
    assert services.tail._deduplicator._max_orders == 600
    assert services.history._timeout_s == 3.5


def test_viewers_are_served_as_the_settings_say(services: Services) -> None:
    policy = FanoutPolicy(flush_window_s=0.5, heartbeat_s=7.5, stall_s=8.5, buffer_bytes=9000)
    assert services.sockets is not None
    assert services.sockets._policy == services.generators._policy == policy
    assert services.settings.stream_limit == 700


def test_fallback_has_no_more_streams_than_threads() -> None:
    assert settings(fanout="generator").stream_limit == GENERATOR_STREAMS
    services = create_services(settings(fanout="generator"))
    assert services.sockets is None
    services.close()


def test_stream_is_stale_when_the_settings_say(services: Services, clock: FakeClock) -> None:
    monitor = services.monitor
    assert (monitor._interval_s, monitor._stale_after_s) == (5.5, 6.5)
    monitor._fresh_at = clock.now
    assert services.state() == "starting"
    services.tail.caught_up.set()
    clock.now += 6.4
    assert services.state() == "live"
    clock.now += 0.1
    assert services.state() == "stale"


def test_test_events_are_limited_as_the_settings_say(services: Services, clock: FakeClock) -> None:
    limiter = services.test_event_limiter
    assert [limiter.allow(), limiter.allow()] == [True, False]
    clock.now += 2.4
    assert not limiter.allow()
    clock.now += 0.1
    assert limiter.allow()


def test_each_part_has_the_topic_and_its_thread(services: Services) -> None:
    admin = services.tail._admin
    assert isinstance(admin, TopicAdmin)
    assert (admin._bootstrap_servers, admin._name) == ("127.0.0.1:1", "other")
    assert (services.test_events._bootstrap_servers, services.test_events._topic) == ("127.0.0.1:1", "other")
    assert services.history._admin is services.monitor._admin is admin
    names = {thread.name for thread in services.background._threads}
    assert names == {"freshness", "tail", "generators", "fanout", "replay 1", "replay 2", "stats"}


def test_figures_are_read_from_their_own_topic_for_every_fanout(services: Services) -> None:
    admin = services.stats_tail._admin
    assert isinstance(admin, TopicAdmin)
    assert (admin._bootstrap_servers, admin._name) == ("127.0.0.1:1", "other-stats")
    assert services.sockets is not None
    assert services.stats is services.stats_tail._latest is services.generators._stats
    assert services.stats is services.sockets._stats._latest


def test_without_a_topic_nobody_reads_figures() -> None:
    services = create_services(settings(kafka_stats_topic=""))
    assert "stats" not in {thread.name for thread in services.background._threads}
    services.close()


def test_body_is_bounded() -> None:
    app = create_app(settings())
    assert app.config["MAX_CONTENT_LENGTH"] == MAX_BODY_BYTES == 64 << 10
    app.extensions["services"].close()

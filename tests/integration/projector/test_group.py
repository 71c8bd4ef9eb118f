"""Whatever happens to an instance, every event is counted once: the totals are those of all events."""

import signal
from collections.abc import Callable
from itertools import chain

import pytest
from confluent_kafka import KafkaException

from tests.eventually import eventually
from tests.integration.projector.conftest import (
    PARTITIONS,
    READY_S,
    Execute,
    Instance,
    Scalar,
    StartInstance,
    Topic,
)
from tests.order_events import Sums, Told, orders, sums

pytestmark = pytest.mark.timeout(400)


ALL = list(range(PARTITIONS))
COUNTED = "SELECT coalesce(sum(events), 0) FROM projection.positions"


def load(count: int, seed: int) -> list[Told]:
    return list(chain.from_iterable(orders(count, seed)))


def reads(instance: Instance, partitions: list[int]) -> bool:
    return instance.partitions == partitions


def test_killed_amid_batches_it_goes_on_where_the_table_says(
    topic: Topic, start_instance: StartInstance, scalar: Scalar, stored_sums: Callable[[], Sums]
) -> None:
    told = load(500, seed=2)
    topic.put(told)
    instance = start_instance(projector_batch=10)
    for part in (0.1, 0.5):
        eventually(lambda part=part: scalar(COUNTED) > part * len(told), READY_S, every=0.01)  # type: ignore[misc]
        instance.kill()
        instance.spawn()
    eventually(lambda: scalar(COUNTED) == len(told), READY_S)
    assert stored_sums() == sums(told)
    assert instance.get("/stats").json()["events"] == len(told)


def test_partitions_move_under_load_and_back_with_a_zombie(
    topic: Topic, start_instance: StartInstance, scalar: Scalar, stored_sums: Callable[[], Sums]
) -> None:
    one = start_instance("one", projector_batch=20)
    told = load(500, seed=3)
    topic.put(told)
    two = start_instance("two", projector_batch=20)
    told += more(topic, seed=4)
    eventually(lambda: sorted(one.partitions + two.partitions) == ALL and len(two.partitions) == 2, READY_S)

    frozen = two.partitions
    told += more(topic, seed=5)
    two.signal(signal.SIGSTOP)
    told += more(topic, seed=6)
    eventually(lambda: reads(one, ALL), READY_S)  # its session has timed out
    told += more(topic, seed=7)
    eventually(lambda: scalar(COUNTED) == len(told), READY_S)
    two.signal(signal.SIGCONT)
    told += more(topic, seed=8)
    eventually(lambda: sorted(one.partitions + two.partitions) == ALL and two.partitions, READY_S)
    told += more(topic, seed=9)
    eventually(lambda: scalar(COUNTED) == len(told), READY_S)
    assert frozen
    assert stored_sums() == sums(told)


def more(topic: Topic, seed: int) -> list[Told]:
    told = load(200, seed)
    topic.put(told)
    return told


def test_restarted_instance_gets_its_own_partitions_and_the_other_keeps_reading(
    topic: Topic, start_instance: StartInstance, scalar: Scalar
) -> None:
    one, two = (start_instance(name, projector_session_timeout_s=60) for name in ("one", "two"))
    eventually(lambda: sorted(one.partitions + two.partitions) == ALL and one.partitions, READY_S)
    eventually(lambda: len(two.partitions) == len(one.partitions), READY_S)
    before, assigned = two.partitions, one.log.count("Assigned:")
    two.stop()
    two.spawn()
    eventually(lambda: two.partitions == before, READY_S)
    assert one.log.count("Assigned:") == assigned
    assert "Revoked" not in two.log.rpartition("Booting worker")[2]


def test_database_that_breaks_connections_delays_and_loses_nothing(
    topic: Topic,
    start_instance: StartInstance,
    scalar: Scalar,
    execute: Execute,
    stored_sums: Callable[[], Sums],
) -> None:
    told = load(400, seed=10)
    topic.put(told)
    start_instance(projector_batch=10)
    for part in (0.1, 0.5):
        eventually(lambda part=part: scalar(COUNTED) > part * len(told), READY_S, every=0.01)  # type: ignore[misc]
        execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'projector'"
            " AND datname = current_database()"
        )
    eventually(lambda: scalar(COUNTED) == len(told), READY_S)
    assert stored_sums() == sums(told)


def test_topic_that_is_created_again_is_read_from_its_beginning_and_health_says_so(
    topic: Topic, start_instance: StartInstance, scalar: Scalar, stored_sums: Callable[[], Sums]
) -> None:
    old, new = load(100, seed=11), load(30, seed=12)
    topic.put(old)
    instance = start_instance()
    eventually(lambda: scalar(COUNTED) == len(old), READY_S)
    topic.delete()
    eventually(lambda: is_created(topic), READY_S, not_yet=KafkaException)
    topic.put(new)
    eventually(lambda: scalar(COUNTED) == len(old) + len(new), READY_S)
    assert stored_sums() == sums(old + new)
    reading = eventually(lambda: instance.checks["reading"])
    assert reading["recreated"] == PARTITIONS
    assert "created again" in reading["detail"]


def test_offsets_that_retention_has_taken_are_counted_as_skipped(
    topic: Topic, start_instance: StartInstance, scalar: Scalar
) -> None:
    read, lost, last = load(20, seed=13), load(10, seed=14), load(5, seed=15)
    put_into(topic, 1, read)
    instance = start_instance()
    eventually(lambda: scalar(COUNTED) == len(read), READY_S)
    instance.stop()
    put_into(topic, 1, [*lost, *last])
    topic.delete_before(1, len(read) + len(lost))
    instance.spawn()

    def all_counted() -> bool:
        found = scalar(COUNTED)
        assert found == len(read) + len(last), (found, instance.log)
        return True

    eventually(all_counted, READY_S)
    eventually(lambda: instance.checks["reading"]["skipped"] == len(lost), READY_S)
    assert f"Kafka no longer has {len(lost)} offsets of partition 1" in instance.log


def is_created(topic: Topic) -> bool:
    topic.create()
    return True


def put_into(topic: Topic, partition: int, told: list[Told]) -> None:
    for each in told:
        topic.send(each.value, each.key, partition)
    topic.flush()

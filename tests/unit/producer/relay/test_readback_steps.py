"""The read-back without a thread, on a topic in memory."""

from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException

from producer.relay import readback as readback_module
from producer.relay.readback import ReadBack
from tests.clock import FakeClock
from tests.unit.producer.relay.fake_topic import TOPIC, FakeTopic
from tests.unit.producer.relay.readback_harness import LONG_AGO, FakeOutbox, prove, readback

INFINITE = float("inf")
# As they are promised: imported, they could be anything.
STUCK_S, JOIN_EVERY_S, STALL_S = 30.0, 5.0, 20.0


def test_read_back_deletes_rows_and_proves_it_step_by_step() -> None:
    event = str(uuid4())
    topic, clock, outbox = FakeTopic(), FakeClock(), FakeOutbox(event)
    stepped = readback(outbox, topic, clock)
    stepped.step()
    assert stepped.staleness() == {0: INFINITE, 1: INFINITE}
    topic.append(1, event)
    prove(stepped)
    assert outbox.rows == set()
    assert stepped.staleness() == {0: 0.0, 1: 0.0}
    clock.now += 3
    assert stepped.staleness() == {0: 3.0, 1: 3.0}


def test_read_back_begins_anew_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    topic, clock, outbox = FakeTopic(), FakeClock(), FakeOutbox(oldest=LONG_AGO)
    stepped = readback(outbox, topic, clock)
    prove(stepped)

    def fail(ids: list[str]) -> int:
        raise KafkaException("broken")

    monkeypatch.setattr(outbox, "delete", fail)
    topic.append(0, str(uuid4()))
    assert stepped.step() > 0
    assert stepped.staleness() == {}
    monkeypatch.undo()
    prove(stepped)
    assert stepped.staleness() == {0: 0.0, 1: 0.0}


def test_silent_consumer_is_replaced_and_nothing_of_its_time_is_missed() -> None:
    event = str(uuid4())
    topic, clock, outbox = FakeTopic(), FakeClock(), FakeOutbox(event, oldest=LONG_AGO)
    stepped = readback(outbox, topic, clock)
    prove(stepped)
    topic.consumers[0].is_silent = True
    topic.append(1, event)
    prove(stepped)
    clock.now += STALL_S
    prove(stepped)
    assert outbox.rows == {event}
    assert len(topic.consumers) == 1
    clock.now += 0.1
    prove(stepped)
    assert [consumer.closed for consumer in topic.consumers] == [True, False]
    prove(stepped)
    assert outbox.rows == set()
    assert stepped.staleness() == {0: 0.0, 1: 0.0}


def test_consumer_that_gets_nowhere_again_has_twice_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    topic, clock = FakeTopic(), FakeClock()

    def new_silent_consumer() -> object:
        consumer = FakeTopic.new_consumer(topic)
        consumer.is_silent = True
        return consumer

    monkeypatch.setattr(topic, "new_consumer", new_silent_consumer)
    topic.append(1, str(uuid4()))
    stepped = readback(FakeOutbox(oldest=LONG_AGO), topic, clock)
    for _ in range(int(STALL_S * 7.5)):
        clock.now += 1
        prove(stepped)
    assert len(topic.consumers) == 4


def test_quiet_or_leaderless_partition_is_no_reason_to_replace_the_consumer() -> None:
    topic, clock = FakeTopic(), FakeClock()
    stepped = readback(FakeOutbox(), topic, clock)
    prove(stepped)
    topic.append(1, str(uuid4()))
    topic.unreachable = {1}
    for _ in range(10):
        clock.now += STALL_S
        prove(stepped)
    assert len(topic.consumers) == 1


def pass_by(readback: ReadBack, clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.now += 1
        prove(readback)


def test_leader_that_goes_after_it_has_answered_is_no_reason_to_replace_the_consumer() -> None:
    topic, clock = FakeTopic(), FakeClock()
    stepped = readback(FakeOutbox(), topic, clock)
    prove(stepped)
    topic.stuck = {1}
    topic.append(1, str(uuid4()))
    pass_by(stepped, clock, 15)
    topic.refusing = {1}
    pass_by(stepped, clock, 60)
    topic.refusing = set()
    pass_by(stepped, clock, 2)  # the consumer finds the new leader a moment later than the question does
    topic.stuck = set()
    prove(stepped)
    prove(stepped)
    assert len(topic.consumers) == 1
    assert stepped.staleness() == {0: 0.0, 1: 0.0}


def test_slow_consumer_that_still_brings_other_partitions_has_longer() -> None:
    topic, clock = FakeTopic(), FakeClock()
    stepped = readback(FakeOutbox(oldest=LONG_AGO), topic, clock)
    prove(stepped)
    topic.stuck = {1}
    topic.append(1, str(uuid4()))
    opened = []
    for _ in range(70):
        topic.append(0, str(uuid4()))
        pass_by(stepped, clock, 1)
        opened.append(len(topic.consumers))
    assert (opened[58], opened[-1]) == (1, 2)


def test_silent_consumer_is_replaced_although_the_brokers_answer_only_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when it has longer than the brokers are asked anew after."""
    monkeypatch.setattr(readback_module, "STALL_S", 40.0)
    topic, clock = FakeTopic(), FakeClock()
    stepped = readback(FakeOutbox(oldest=LONG_AGO), topic, clock)
    prove(stepped)
    topic.consumers[0].is_silent = True
    topic.append(1, str(uuid4()))
    for second in range(150):
        topic.refusing = set() if second % 20 < 7 else {1}
        pass_by(stepped, clock, 1)
    assert len(topic.consumers) == 2


def test_next_silence_is_noticed_as_soon_as_the_first_although_another_partition_is_away() -> None:
    topic, clock = FakeTopic(), FakeClock()
    topic.unreachable = {0}
    stepped = readback(FakeOutbox(oldest=LONG_AGO), topic, clock)
    prove(stepped)
    for replaced in (2, 3, 4):
        topic.consumers[-1].is_silent = True
        topic.append(1, str(uuid4()))
        pass_by(stepped, clock, int(STALL_S) + 4)
        assert len(topic.consumers) == replaced


def test_log_that_was_cut_back_under_a_silent_consumer_is_no_proof(caplog: pytest.LogCaptureFixture) -> None:
    """Its end is before our position, so it would count as read, and its events would never be seen."""
    event = str(uuid4())
    topic, clock, outbox = FakeTopic(), FakeClock(), FakeOutbox(event, oldest=LONG_AGO)
    for _ in range(5):
        topic.append(1, str(uuid4()))
    stepped = readback(outbox, topic, clock)
    prove(stepped)
    topic.consumers[0].is_silent = True
    del topic.logs[1][2:]
    topic.append(1, event)
    pass_by(stepped, clock, 3)
    assert "Partition 1 ends at 3 and was read up to 5" in caplog.text
    assert outbox.rows == set()
    assert stepped.staleness() == {0: 0.0, 1: 0.0}


def test_log_whose_end_was_lost_before_it_was_read_is_no_reason_to_replace_the_consumer() -> None:
    topic, clock = FakeTopic(), FakeClock()
    stepped = readback(FakeOutbox(oldest=LONG_AGO), topic, clock)
    prove(stepped)
    topic.stuck = {1}
    topic.append(1, str(uuid4()))
    prove(stepped)
    topic.logs[1].clear()
    topic.stuck = set()
    pass_by(stepped, clock, 60)
    assert len(topic.consumers) == 1
    assert stepped.staleness() == {0: 0.0, 1: 0.0}


def test_read_back_leaves_the_topic_when_closed() -> None:
    topic, consumers = FakeTopic(), []

    def new_consumer() -> object:
        consumers.append(topic.new_consumer())
        return consumers[-1]

    stepped = ReadBack(FakeOutbox(), new_consumer, topic.new_admin, TOPIC, lambda: None, FakeClock())  # type: ignore[arg-type]
    stepped.step()
    stepped.close()
    assert [consumer.closed for consumer in consumers] == [True]


def test_message_whose_headers_cannot_be_read_is_skipped_counted_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """confluent_kafka raises SystemError for a header whose name is not UTF-8."""
    event = str(uuid4())
    topic, outbox = FakeTopic(), FakeOutbox(event)
    stepped = readback(outbox, topic, FakeClock())
    stepped.step()
    topic.append_headers(1, SystemError("returned a result with an exception set"))
    topic.append_headers(1, None)
    topic.append(1, event)
    prove(stepped)
    assert outbox.rows == set()
    assert stepped.staleness() == {0: 0.0, 1: 0.0}
    assert stepped.skipped == 2
    assert "partition 1 offset 0" in caplog.text


def test_batch_that_cannot_be_unpacked_stops_no_other_partition(caplog: pytest.LogCaptureFixture) -> None:
    event = str(uuid4())
    topic, outbox = FakeTopic(), FakeOutbox(event)
    stepped = readback(outbox, topic, FakeClock())
    stepped.step()
    topic.append_headers(1, KafkaError(KafkaError._BAD_COMPRESSION, "cannot be unpacked"))
    topic.append(0, event)
    prove(stepped)
    assert outbox.rows == set()
    assert stepped.staleness() == {0: 0.0, 1: INFINITE}  # what was in that batch is not known
    assert "partition 1 offset 0: KafkaError" in caplog.text


def test_partition_that_is_added_is_read_back(caplog: pytest.LogCaptureFixture) -> None:
    event = str(uuid4())
    topic, outbox = FakeTopic(partitions=1), FakeOutbox(event, oldest=LONG_AGO)
    stepped = readback(outbox, topic, FakeClock())
    prove(stepped)
    topic.logs[1] = []
    topic.append(1, event)
    prove(stepped)
    prove(stepped)
    assert outbox.rows == set()
    assert stepped.staleness() == {0: 0.0, 1: 0.0}
    assert "begins anew: The topic has the partitions [0, 1]" in caplog.text


def test_topic_that_was_created_again_is_read_from_anew() -> None:
    event = str(uuid4())
    topic, outbox = FakeTopic(), FakeOutbox(event, oldest=LONG_AGO)
    topic.append(0, str(uuid4()))
    stepped = readback(outbox, topic, FakeClock())
    prove(stepped)
    topic.logs, topic.topic_id = {0: [], 1: []}, "two"
    topic.append(0, event)
    prove(stepped)
    prove(stepped)
    assert outbox.rows == set()
    assert stepped.found_another_topic


def test_topic_that_was_created_again_is_noticed_whatever_came_between() -> None:
    """While it is missing there is an error, and after that another session."""
    topic, clock = FakeTopic(), FakeClock()
    stepped = readback(FakeOutbox(), topic, clock)
    stepped.step()
    stepped.step()
    stepped.step()
    stepped.close()
    topic.topic_id = "two"
    prove(stepped)
    assert stepped.found_another_topic
    prove(stepped)
    assert stepped.staleness() == {0: 0.0, 1: 0.0}


@pytest.mark.parametrize("no_id", ["None", "A" * 22])
def test_broker_that_does_not_know_ids_says_nothing_of_the_topic(no_id: str) -> None:
    topic = FakeTopic()
    stepped = readback(FakeOutbox(), topic, FakeClock())
    for topic_id in ("one", no_id, "one", no_id):
        topic.topic_id = topic_id
        prove(stepped)
    assert not stepped.found_another_topic
    topic.topic_id = "two"
    prove(stepped)
    assert stepped.found_another_topic


def test_topic_with_more_partitions_is_the_same_topic() -> None:
    topic = FakeTopic(partitions=1)
    stepped = readback(FakeOutbox(), topic, FakeClock())
    prove(stepped)
    topic.logs[1] = []
    prove(stepped)
    prove(stepped)
    assert not stepped.found_another_topic


def test_unreachable_partition_is_stale_alone_and_its_lag_is_told() -> None:
    topic, clock, outbox = FakeTopic(), FakeClock(), FakeOutbox()
    stepped = readback(outbox, topic, clock)
    prove(stepped)
    topic.unreachable = {1}
    clock.now += 10
    prove(stepped)
    assert stepped.staleness() == {0: 0.0, 1: 10.0}
    clock.now += 5
    prove(stepped)
    assert stepped.staleness() == {0: 0.0, 1: 15.0}
    assert stepped.lag() == {1: 5.0}


def test_question_that_stays_open_is_asked_anew() -> None:
    topic, clock = FakeTopic(), FakeClock()
    stepped = readback(FakeOutbox(), topic, clock)
    prove(stepped)
    topic.unreachable = {1}
    prove(stepped)  # this question is never answered
    topic.unreachable = set()
    clock.now += STUCK_S - 1
    prove(stepped)
    assert stepped.staleness()[1] > STUCK_S - 2
    clock.now += 1
    prove(stepped)
    assert stepped.staleness() == {0: 0.0, 1: 0.0}


def test_partition_that_is_unreachable_at_the_beginning_is_joined_later() -> None:
    event = str(uuid4())
    topic, clock, outbox = FakeTopic(), FakeClock(), FakeOutbox(event, oldest=LONG_AGO)
    topic.append(1, event)
    topic.unreachable = {1}
    stepped = readback(outbox, topic, clock)
    prove(stepped)
    assert stepped.staleness() == {0: 0.0, 1: INFINITE}
    topic.unreachable = set()
    clock.now += JOIN_EVERY_S
    prove(stepped)
    prove(stepped)
    assert outbox.rows == set()
    assert stepped.staleness() == {0: 0.0, 1: 0.0}


def test_read_back_does_not_begin_while_no_partition_answers() -> None:
    topic = FakeTopic()
    topic.unreachable = {0, 1}
    stepped = readback(FakeOutbox(), topic, FakeClock())
    assert stepped.step() > 0
    assert stepped.staleness() == {}


def test_read_back_tells_for_how_long_it_has_read_nothing() -> None:
    topic, clock = FakeTopic(), FakeClock()
    stepped = readback(FakeOutbox(), topic, clock)
    topic.unreachable = {0, 1}
    for _ in range(3):
        stepped.step()
        clock.now += 5
    assert stepped.away_s() == 15.0
    topic.unreachable = set()
    stepped.step()
    assert stepped.away_s() == 0.0
    stepped.close()
    clock.now += 2
    assert stepped.away_s() == 2.0


def test_read_back_begins_at_the_end_when_nothing_is_that_young() -> None:
    topic = FakeTopic()
    consumer = topic.new_consumer()
    topic.append(0, str(uuid4()))
    topic.new_consumer = lambda: consumer  # type: ignore[method-assign]
    stepped = readback(FakeOutbox(oldest=LONG_AGO), topic, FakeClock())
    stepped.step()
    assert consumer.positions == {0: 0, 1: 0}

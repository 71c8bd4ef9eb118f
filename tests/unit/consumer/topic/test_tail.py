import json
import logging

import pytest

from consumer.ring.position import Position
from consumer.ring.ring import Ring
from consumer.topic.deduplicator import Deduplicator
from consumer.topic.freshness import FreshnessMonitor
from consumer.topic.kafka import Topic
from consumer.topic.tail import Tail
from tests.clock import FakeClock
from tests.unit.consumer.topic.fake_kafka import (
    MARKER,
    OTHER_ID,
    TOPIC_ID,
    FakeTopic,
    NoPause,
    event,
    signpost,
)


class TailHarness:
    """A tail that reads a topic in memory into a ring."""

    def __init__(self, topic: FakeTopic, history: int = 100, backfill_bytes: int = 1 << 20) -> None:
        self.ring = Ring(1000, 1 << 20)
        self.clock = clock = FakeClock()
        self.monitor = FreshnessMonitor(topic, interval_s=2, stale_after_s=10, clock=clock)
        self.tail = Tail(
            self.ring, self.monitor, topic, topic.open_reader, Deduplicator(100),
            history=history, backfill_bytes=backfill_bytes, event_bytes=10_000, clock=clock,
        )  # fmt: skip
        self.topic = topic

    def run(self) -> None:
        """Read until the topic has taken its last step."""
        self.tail.run(self.topic.end_of_steps)

    @property
    def shown(self) -> list[bytes]:
        """The payloads in the ring, oldest first."""
        return [event.payload for event in self.ring.view().newest_first()][::-1]

    @property
    def gaps(self) -> list[str]:
        """The reasons of the gaps in the ring."""
        batches = self.ring.view().batches
        return [batch.gap.reason for batch in batches if batch.gap]


def test_tail_reads_back_history_and_continues() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"))
    topic.steps = [lambda: topic.put(1, event("b"))]
    harness = TailHarness(topic)
    harness.run()
    assert harness.shown == [event("a"), event("b")]
    assert harness.ring.position == Position(TOPIC_ID, (1, 1))
    assert harness.tail.caught_up.is_set()
    assert harness.monitor.is_fresh


def put_in_turn(topic: FakeTopic, first: int, count: int) -> list[bytes]:
    """Put events into both partitions in turn, a second apart; return them."""
    events = [event(f"o{first + number}") for number in range(count)]
    for number, each in enumerate(events, start=first):
        topic.put(number % 2, each, at=number * 1000)
    return events


def test_of_a_past_that_is_too_large_to_be_sorted_only_the_newest_is_read_back() -> None:
    """Kafka delivers one partition after the other: in parts, old events of one would follow new ones of another."""
    topic = FakeTopic()
    events = put_in_turn(topic, 0, 40)
    harness = TailHarness(topic, backfill_bytes=10 * (len(events[0]) + 200))
    harness.run()
    shown = harness.shown
    assert 5 <= len(shown) < 40
    assert shown == events[-len(shown) :]
    view = harness.ring.view()
    assert (sum(view.floor.offsets), view.position) == (40 - len(shown), Position(TOPIC_ID, (20, 20)))
    assert not view.is_complete_since(0)
    assert view.is_complete_since((41 - len(shown)) * 1000 + 1)
    assert harness.gaps == []


@pytest.mark.parametrize("found", [0, 4])
def test_nothing_is_left_out_that_comes_after_the_first_start(found: int) -> None:
    """There may be viewers, also of a topic that was empty."""
    topic = FakeTopic()
    events = put_in_turn(topic, 0, found)
    harness = TailHarness(topic, backfill_bytes=5 * (len(event("o1")) + 200))

    def fall_behind() -> None:
        topic.silent_readers = len(topic.opened)
        events.extend(put_in_turn(topic, found, 60))

    def pass_by() -> None:
        harness.monitor.refresh()
        harness.clock.now += 6

    topic.steps = [fall_behind, *[pass_by] * 3, lambda: None]
    harness.run()
    assert sorted(harness.shown) == sorted(events)
    assert harness.gaps == []


def test_tail_has_caught_up_when_the_log_was_cut_before_it_was_read() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"))
    harness = TailHarness(topic)
    topic.on_open = lambda: topic.truncate(0, 0)
    topic.steps = [
        lambda: setattr(harness.clock, "now", harness.clock.now + 60),
        harness.monitor.refresh,
        lambda: None,
    ]
    harness.run()
    assert harness.tail.caught_up.is_set()


def test_reader_from_which_nothing_comes_is_replaced() -> None:
    """As librdkafka's, after all brokers were away at once."""
    topic = FakeTopic()
    topic.put(0, event("a"))
    harness = TailHarness(topic)

    def pass_by(seconds: float) -> None:
        harness.monitor.refresh()
        harness.clock.now += seconds

    def fall_silent() -> None:
        topic.silent_readers = len(topic.opened)
        topic.put(1, event("b"))

    topic.steps = [fall_silent, *[lambda: pass_by(6)] * 3, lambda: None]
    harness.run()
    assert topic.opened == [[0, 0], [1, 0]]
    assert harness.shown == [event("a"), event("b")]


def test_silent_reader_whose_log_was_cut_back_is_replaced_and_everyone_is_told() -> None:
    topic = FakeTopic()
    topic.put(0, *(event(f"o{n}") for n in range(10)))
    harness = TailHarness(topic)

    def cut_back() -> None:
        topic.silent_readers = len(topic.opened)
        topic.truncate(0, 5)
        topic.put(0, event("new"))

    def pass_by() -> None:
        harness.monitor.refresh()
        harness.clock.now += 6

    topic.steps = [cut_back, *[pass_by] * 3, lambda: None]
    harness.run()
    assert harness.gaps == ["recreated"]
    assert event("new") in harness.shown


def test_reader_is_kept_while_each_partition_goes_on() -> None:
    topic = FakeTopic()
    harness = TailHarness(topic)

    def go_on() -> None:
        topic.put(0, event("a", len(topic.logs[0]) + 1))
        harness.monitor.refresh()
        harness.clock.now += 11

    topic.steps = [go_on] * 5
    harness.run()
    assert len(topic.opened) == 1


def test_reader_is_kept_while_an_open_transaction_holds_back_what_follows() -> None:
    topic = FakeTopic()
    harness = TailHarness(topic)

    def hold_back() -> None:
        topic.put(0, event("held"))
        topic.open_transactions = {0: 0}

    def pass_by() -> None:
        topic.put(1, event("a", len(topic.logs[1]) + 1))
        harness.monitor.refresh()
        harness.clock.now += 6

    topic.steps = [hold_back, *[pass_by] * 8]
    harness.run()
    assert len(topic.opened) == 1
    assert not harness.monitor.is_fresh
    assert len(harness.shown) == 8


def test_tail_has_caught_up_behind_a_transaction_that_was_open_before_the_start() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"), event("held"))
    topic.open_transactions = {0: 1}
    harness = TailHarness(topic)

    def pass_by() -> None:
        topic.put(1, event("b", len(topic.logs[1]) + 1))
        harness.monitor.refresh()
        harness.clock.now += 6

    topic.steps = [pass_by] * 8
    harness.run()
    assert harness.tail.caught_up.is_set()
    assert len(topic.opened) == 1


def test_reader_that_gets_nowhere_again_has_twice_the_time() -> None:
    """It may need long to get past what nobody is given."""
    topic = FakeTopic()
    topic.put(0, event("a"))
    harness = TailHarness(topic)

    def fall_silent() -> None:
        topic.silent_readers = 100
        topic.put(0, event("b"))

    def pass_by() -> None:
        topic.put(1, event("c", len(topic.logs[1]) + 1))
        harness.monitor.refresh()
        harness.clock.now += 1

    topic.steps = [fall_silent, *[pass_by] * 160]
    harness.run()
    assert len(topic.opened) == 5


def test_reader_is_kept_while_the_brokers_do_not_answer_for_every_partition() -> None:
    """The others are read: a new session would have to wait for the one without a leader."""
    topic = FakeTopic()
    harness = TailHarness(topic)

    def lose_a_leader() -> None:
        topic.put(0, event("unreachable"))
        harness.monitor.refresh()
        topic.open_transactions = {0: 0}  # nothing comes from it
        topic.is_down = True

    def go_on() -> None:
        topic.put(1, event("a", len(topic.logs[1]) + 1))
        harness.clock.now += 6

    topic.steps = [lose_a_leader, *[go_on] * 8]
    harness.run()
    assert len(topic.opened) == 1
    assert len(harness.shown) == 8


def test_reader_that_falls_silent_later_is_replaced_as_soon_as_the_first_time() -> None:
    topic = FakeTopic()
    harness = TailHarness(topic)

    def fall_silent(readers: int) -> None:
        topic.silent_readers = readers
        topic.put(0, event("a", len(topic.logs[0]) + 1))

    def pass_by() -> None:
        harness.monitor.refresh()
        harness.clock.now += 1

    # Three readers get nowhere, the fourth does; then it falls silent too.
    topic.steps = [
        lambda: fall_silent(3),
        *[pass_by] * 60,
        lambda: fall_silent(4),
        *[pass_by] * 15,
        lambda: None,
    ]
    harness.run()
    assert topic.opened == [[0, 0], [0, 0], [0, 0], [0, 0], [1, 0]]
    assert harness.ring.position.offsets == (2, 0)


def test_slow_reader_that_still_brings_other_partitions_has_longer() -> None:
    """Its queue may be full of theirs."""
    topic = FakeTopic()
    harness = TailHarness(topic)
    opened: list[int] = []

    def get_stuck() -> None:
        topic.stuck = {0}
        topic.put(0, event("late"))

    def pass_by() -> None:
        topic.put(1, event("a", len(topic.logs[1]) + 1))
        harness.monitor.refresh()
        harness.clock.now += 1
        opened.append(len(topic.opened))

    topic.steps = [get_stuck, *[pass_by] * 34, lambda: topic.stuck.clear(), lambda: None]
    harness.run()
    assert (opened[29], opened[-1], len(topic.opened)) == (1, 2, 2)
    assert event("late") in harness.shown


def test_silent_reader_is_replaced_when_the_brokers_seldom_answer() -> None:
    """They answer every 15 s, which is too seldom to know at all times how far the topic goes."""
    topic = FakeTopic()
    harness = TailHarness(topic)
    seconds = 0

    def fall_silent() -> None:
        topic.silent_readers = len(topic.opened)
        topic.put(0, event("a"))

    def pass_by() -> None:
        nonlocal seconds
        seconds += 1
        if seconds % 15 == 0:
            harness.monitor.refresh()
        harness.clock.now += 1

    topic.steps = [fall_silent, *[pass_by] * 60]
    harness.run()
    assert len(topic.opened) == 2
    assert harness.shown == [event("a")]


def test_reader_has_a_moment_when_the_brokers_answer_again() -> None:
    """Time in which nobody could read does not count."""
    topic = FakeTopic()
    harness = TailHarness(topic)

    def lose_a_leader() -> None:
        topic.put(0, event("a"))
        topic.stuck = {0}
        harness.monitor.refresh()

    def pass_by() -> None:
        harness.clock.now += 1

    def come_back() -> None:
        harness.monitor.refresh()
        harness.clock.now += 0.9

    topic.steps = [
        lose_a_leader,
        *[pass_by] * 60,
        *[come_back] * 3,
        lambda: topic.stuck.clear(),
        lambda: None,
    ]
    harness.run()
    assert len(topic.opened) == 1
    assert harness.shown == [event("a")]


def test_stall_is_told_for_as_long_as_it_lasts() -> None:
    topic = FakeTopic()
    harness = TailHarness(topic)
    told: list[str] = []

    def fall_silent() -> None:
        topic.silent_readers = 4
        topic.put(0, event("a"))

    def pass_by() -> None:
        harness.monitor.refresh()
        harness.clock.now += 1
        told.append(harness.monitor.stall)

    topic.steps = [fall_silent, *[pass_by] * 100]
    harness.run()
    text = "nothing has come from partition 0 for {} s"
    assert list(dict.fromkeys(told)) == ["", text.format(10), text.format(20)]
    assert harness.monitor.stall == ""
    assert len(topic.opened) == 5


def test_backfill_is_in_order_of_time_across_partitions() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"), at=1)
    topic.put(0, event("c"), at=3)
    topic.put(1, event("b"), at=2)
    topic.put(1, event("d"), at=4)
    harness = TailHarness(topic)
    harness.run()
    assert harness.shown == [event(order) for order in "abcd"]


def test_backfill_reads_no_more_than_the_configured_history() -> None:
    topic = FakeTopic()
    topic.put(0, *(event(f"o{n}") for n in range(50)))
    harness = TailHarness(topic, history=20)
    harness.run()
    assert topic.opened == [[40, 0]]
    assert len(harness.shown) == 10


def test_unreadable_messages_are_skipped_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    topic = FakeTopic()
    topic.put(0, event("a"), b"garbage", None, event("b"))
    harness = TailHarness(topic)
    with caplog.at_level(logging.WARNING):
        harness.run()
    assert harness.shown == [event("a"), event("b")]
    assert harness.tail.counts.unreadable == 2
    assert harness.ring.position.offsets == (4, 0)
    assert "partition 0 offset 1" in caplog.text
    assert "partition 0 offset 2" in caplog.text


def test_flood_of_unreadable_messages_is_counted_but_not_fully_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    topic = FakeTopic()
    topic.put(0, *[b"garbage"] * 3000)
    harness = TailHarness(topic, history=10_000)
    with caplog.at_level(logging.WARNING):
        harness.run()
    assert harness.tail.counts.unreadable == 3000
    assert len(caplog.records) == 1020


def test_duplicates_are_dropped_and_the_position_moves_past_them() -> None:
    topic = FakeTopic()
    topic.put(0, event("a", 1), event("a", 2), event("a", 1), event("a", 2), event("a", 3))
    harness = TailHarness(topic)
    harness.run()
    assert harness.shown == [event("a", version) for version in (1, 2, 3)]
    assert harness.tail.counts.repeats == 2
    assert harness.ring.position.offsets == (5, 0)


def test_position_is_past_an_event_as_soon_as_the_event_is_shown() -> None:
    """Whoever is cut off right then and comes back with it is not sent the event again."""
    topic = FakeTopic()
    topic.put(0, event("a"), event("b"))
    topic.steps = [lambda: topic.put(1, event("c")), lambda: topic.put(0, event("d"), event("e"))]
    harness = TailHarness(topic)
    told: list[tuple[int, int]] = []
    harness.ring.on_change(lambda: told.append((len(harness.shown), sum(harness.ring.position.offsets))))
    harness.run()
    assert {shown for shown, _ in told} == {0, 2, 3, 5}
    assert [each for each in told if each[0] != each[1]] == []


def test_repeats_are_dropped_after_a_new_session_too() -> None:
    topic = FakeTopic(partitions=1)
    topic.put(0, event("a", 1), event("a", 2))
    harness = TailHarness(topic)

    def begin_anew() -> None:
        topic.logs.append([])
        topic.first.append(0)
        harness.monitor.refresh()
        topic.steps = [lambda: topic.put(0, event("a", 2), event("a", 3))]

    topic.steps = [begin_anew]
    harness.run()
    assert len(topic.opened) == 2
    assert harness.shown == [event("a", version) for version in (1, 2, 3)]
    assert harness.tail.counts.repeats == 1


def test_transaction_markers_at_the_end_of_a_log_do_not_count_as_unread_events() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"), MARKER)
    harness = TailHarness(topic)
    topic.steps = [lambda: topic.put(1, event("b"), MARKER), harness.monitor.refresh]
    harness.run()
    assert harness.ring.position.offsets == (2, 2)
    assert harness.monitor.is_fresh


def test_gap_is_recorded_when_retention_overtakes_the_tail() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"))

    def overtake() -> None:
        topic.put(0, event("b"), event("c"))
        topic.first[0] = 2

    topic.steps = [overtake]
    harness = TailHarness(topic)
    harness.run()
    assert harness.shown == [event("a"), event("c")]
    assert harness.gaps == ["expired"]
    assert topic.opened == [[0, 0], [2, 0]]


def test_recreated_topic_is_read_from_its_beginning_after_a_gap() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"))
    harness = TailHarness(topic)

    def recreate() -> None:
        topic.recreate()
        topic.put(0, event("a"), event("b"))
        harness.monitor.refresh()

    topic.steps = [recreate]
    harness.run()
    assert harness.gaps == ["recreated"]
    assert harness.shown == [event("a"), event("b")]
    assert harness.ring.position == Position(OTHER_ID, (2, 0))


def test_added_partitions_are_read_from_their_beginning() -> None:
    topic = FakeTopic(partitions=1)
    topic.put(0, event("a"))
    harness = TailHarness(topic)

    def add_partition() -> None:
        topic.logs.append([(0, event("b"))])
        topic.first.append(0)
        harness.monitor.refresh()

    topic.steps = [add_partition]
    harness.run()
    assert harness.shown == [event("a"), event("b")]
    assert harness.gaps == []
    assert harness.ring.position.offsets == (1, 1)


def test_truncated_log_is_told_as_a_gap_and_what_is_published_again_is_shown() -> None:
    topic = FakeTopic()
    topic.put(0, event("a"), event("b"))
    topic.put(1, event("x"))

    def truncate() -> None:
        topic.truncate(0, 1)
        topic.put(1, event("y"))
        topic.steps = [lambda: topic.put(0, event("b"), event("c"))]

    topic.steps = [truncate]
    harness = TailHarness(topic)
    harness.run()
    assert harness.gaps == ["recreated"]
    assert harness.ring.position.offsets == (3, 2)
    assert sorted(harness.shown) == [event(order) for order in "abcy"]


def test_log_that_was_truncated_and_has_grown_again_is_told_and_read_again() -> None:
    topic = FakeTopic(partitions=1)
    topic.put(0, *(event(f"o{n}") for n in range(10)))

    def regrow() -> None:
        topic.truncate(0, 5)
        topic.put(0, *(event(f"n{n}") for n in range(8)))

    topic.steps = [regrow]
    harness = TailHarness(topic)
    harness.run()
    assert harness.gaps == ["recreated"]
    assert harness.ring.position.offsets == (13,)
    assert [event(f"n{n}") for n in range(8)] == harness.shown[-8:]


def test_tail_reports_a_kafka_outage_and_tries_again() -> None:
    topic = FakeTopic()
    topic.is_down = True
    topic.put(0, event("a"))
    harness = TailHarness(topic)
    problems = []

    class EndOfOutage(NoPause):
        """A stop flag whose first wait ends the outage."""

        def wait(self, timeout: float | None = None) -> bool:
            problems.append(harness.monitor.problem)
            topic.is_down = False
            return self.is_set()

    topic.end_of_steps = EndOfOutage()
    harness.run()
    assert problems[0] == "no answer"
    assert harness.monitor.problem == ""
    assert harness.shown == [event("a")]


def order_event(order: str, version: int) -> bytes:
    return event(order, version, type="order.confirmed" if version > 1 else "order.placed")


def grown_topic() -> FakeTopic:
    """A topic of two partitions that was given a third: order a is in the first, and its later events in the third."""
    topic = FakeTopic(3)
    topic.put(0, order_event("a", 1), order_event("b", 1), signpost(2, 1))
    topic.put(1, order_event("c", 1), signpost(2, 1))
    topic.put(2, signpost(2, 1), order_event("a", 2))
    return topic


def shown_versions(harness: TailHarness) -> list[tuple[str, int]]:
    found = [json.loads(payload)["data"] for payload in harness.shown]
    return [(each["order_id"], each["version"]) for each in found]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_later_events_in_another_partition_wait_for_the_earlier_ones(first: int) -> None:
    """Whatever order Kafka delivers the partitions in, and though its clocks say something else."""
    topic = grown_topic()
    topic.logs[2] = [(-5000, value) for _, value in topic.logs[2]]  # this broker's clock is slow
    topic.read_first = first
    harness = TailHarness(topic)
    harness.run()
    shown = shown_versions(harness)
    assert shown.index(("a", 1)) < shown.index(("a", 2))
    assert sorted(shown) == [("a", 1), ("a", 2), ("b", 1), ("c", 1)]
    assert harness.ring.position == Position(TOPIC_ID, (3, 2, 2))
    assert (harness.tail.counts.unreadable, harness.gaps) == (0, [])


def test_partition_that_does_not_answer_holds_up_what_follows_the_growth_and_nothing_else() -> None:
    topic = grown_topic()
    topic.put(1, order_event("d", 1))
    topic.stuck = {0}
    harness = TailHarness(topic)
    topic.steps = [
        lambda: setattr(harness.clock, "now", harness.clock.now + 60),
        lambda: topic.put(2, order_event("a", 3)),
        harness.monitor.refresh,
        lambda: waited.extend(shown_versions(harness)),
        topic.stuck.clear,
        lambda: None,
    ]
    waited: list[tuple[str, int]] = []
    harness.run()
    assert waited == [("c", 1)]
    shown = shown_versions(harness)
    assert [each for each in shown if each[0] == "a"] == [("a", 1), ("a", 2), ("a", 3)]
    assert ("d", 1) in shown


def test_partition_that_waits_is_not_taken_for_silent() -> None:
    topic = grown_topic()
    topic.open_transactions = {0: 0}
    harness = TailHarness(topic)

    def pass_by() -> None:
        harness.monitor.refresh()
        harness.clock.now += 20

    topic.steps = [pass_by] * 10
    harness.run()
    assert len(topic.opened) == 1


def test_nobody_waits_for_what_kafka_has_lost_since() -> None:
    """The end of a log was lost with its leader after the growth: that offset may never be reached again."""
    topic = FakeTopic(2)
    topic.put(0, order_event("a", 1))
    topic.put(1, signpost(5), order_event("b", 1))
    harness = TailHarness(topic)
    harness.run()
    assert sorted(shown_versions(harness)) == [("a", 1), ("b", 1)]


def test_signpost_of_a_later_growth_waits_for_partitions_that_are_not_known_yet() -> None:
    topic = FakeTopic(1)
    harness = TailHarness(topic)

    def grow() -> None:
        topic.logs += [[], []]
        topic.first += [0, 0]
        topic.put(1, order_event("a", 1), signpost(0, 1))
        topic.put(0, signpost(0, 1), order_event("a", 2))

    topic.steps = [grow, harness.monitor.refresh, lambda: None]
    harness.run()
    assert shown_versions(harness) == [("a", 1), ("a", 2)]


def test_signpost_that_names_more_than_there_will_ever_be_holds_up_nobody_for_long() -> None:
    """Whoever may write to the topic can put one there. What comes meanwhile in others is later."""
    topic = FakeTopic(2)
    topic.put(0, signpost(0, 1 << 62), order_event("a", 1))
    harness = TailHarness(topic)

    def describe() -> Topic:
        """At each question there is more in the other partition."""
        topic.put(1, *[order_event(f"b{len(topic.opened)}", 1)] * (len(topic.opened) < 50))
        return Topic(TOPIC_ID, 2)

    topic.describe = describe  # type: ignore[method-assign]
    harness.run()
    assert ("a", 1) in shown_versions(harness)
    assert len(topic.opened) < 10


def test_partitions_whose_signposts_wait_for_one_another_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """The command writes none like that; whoever else may write to the topic can, and Kafka may lose parts of logs."""
    topic = FakeTopic(3)
    topic.put(0, order_event("a", 1), signpost(0, 5, 0), order_event("a", 2), at=1)
    topic.put(1, order_event("b", 1), signpost(5, 0, 0), order_event("b", 2), at=2)
    topic.put(2, signpost(3, 3), order_event("b", 3))
    harness = TailHarness(topic)
    harness.run()
    shown = shown_versions(harness)
    assert sorted(shown) == [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3)]
    assert shown.index(("b", 2)) < shown.index(("b", 3)), "what was true is waited for all the same"
    assert "[0, 1] wait for one another" in caplog.text


def test_broker_that_has_no_news_of_partitions_does_not_end_the_waiting_for_them() -> None:
    topic = FakeTopic(3)
    harness = TailHarness(topic)
    topic.stuck = {2}
    waited: list[tuple[str, int]] = []

    def grow_again() -> None:
        topic.put(2, order_event("a", 1), signpost(0, 0, 1))
        topic.put(0, signpost(0, 0, 1), order_event("a", 2))

    topic.steps = [
        grow_again,
        lambda: setattr(topic, "describe", lambda: Topic(TOPIC_ID, 2)),
        harness.monitor.refresh,
        lambda: None,
        lambda: waited.extend(shown_versions(harness)),
        topic.stuck.clear,
        lambda: None,
    ]
    harness.run()
    assert waited == []
    assert shown_versions(harness) == [("a", 1), ("a", 2)]

"""What the ledger counts, on a topic and tables in memory."""

from uuid import UUID

import pytest
from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from producer.domain.partitioner import partition_of
from producer.ledger.report import figures
from producer.ledger.retention import MARGIN_MS
from tests.unit.producer.ledger.fake_shop import PARTITIONS, FakeBooks, FakeTopic, event, run

A, B, C = (UUID(int=0x01939B1E6B1C7C3A8B1E << 48 | number) for number in (0xA, 0xB, 0xC))


@pytest.fixture
def topic() -> FakeTopic:
    return FakeTopic()


@pytest.fixture
def books() -> FakeBooks:
    return FakeBooks()


def names(topic: FakeTopic, books: FakeBooks) -> dict[str, list[tuple[UUID, int]]]:
    findings = run(topic, books).findings
    found = {
        "missing": findings.missing,
        "never committed": findings.never_committed,
        "out of order": findings.out_of_order,
    }
    return {
        what: [(UUID(bytes=each.order_id), each.version) for each in named.first]
        for what, named in found.items()
    }


def test_event_that_is_nowhere_is_missing(topic: FakeTopic, books: FakeBooks) -> None:
    books.versions = {A: 3, B: 1}
    topic.publish(A, 1)
    topic.publish(A, 3)
    books.waiting = {(B, 1)}
    assert names(topic, books)["missing"] == [(A, 2)]


def test_discarded_event_is_not_missing(topic: FakeTopic, books: FakeBooks) -> None:
    books.versions, books.discarded = {A: 1}, {(A, 1)}
    assert names(topic, books)["missing"] == []


def test_event_that_leaves_the_outbox_while_the_ledger_runs_is_not_missing(
    topic: FakeTopic, books: FakeBooks
) -> None:
    books.versions, books.waiting = {A: 1}, {(A, 1)}

    def publish_and_delete() -> None:
        if books.waiting:
            topic.publish(A, 1)
            books.waiting.clear()

    books.between = publish_and_delete
    ledger = run(topic, books)
    assert figures(ledger)["missing"] == 0
    assert figures(ledger)["in_kafka"] == 1


def test_order_that_is_placed_while_the_topic_is_read_has_committed(
    topic: FakeTopic, books: FakeBooks
) -> None:
    topic.publish(A, 1)
    topic.on_read = lambda: books.versions.update({A: 1})
    assert names(topic, books)["never committed"] == []


def test_event_of_an_unknown_order_or_version_never_committed(topic: FakeTopic, books: FakeBooks) -> None:
    books.versions = {B: 1}
    for order_id, version in ((A, 1), (B, 1), (B, 2), (C, 1)):
        topic.publish(order_id, version)
    assert names(topic, books)["never committed"] == [(A, 1), (B, 2), (C, 1)]


def test_second_id_of_one_version_never_committed(topic: FakeTopic, books: FakeBooks) -> None:
    books.versions = {A: 1}
    for copy in (0, 1, 1, 0):
        topic.publish(A, 1, copy=copy)
    ledger = run(topic, books)
    assert (figures(ledger)["never_committed"], figures(ledger)["repeats"]) == (1, 2)


def test_another_id_of_the_last_version_does_not_hide_that_its_own_is_missing(
    topic: FakeTopic, books: FakeBooks
) -> None:
    books.versions = {A: 2}
    topic.publish(A, 1)
    topic.publish(A, 2, copy=1)
    assert names(topic, books) == {"missing": [(A, 2)], "never committed": [(A, 2)], "out of order": []}
    assert figures(run(topic, books))["in_kafka"] == 1


def test_another_id_that_comes_while_the_ledger_runs_does_not_hide_it_either(
    topic: FakeTopic, books: FakeBooks
) -> None:
    books.versions = {A: 1}

    def write() -> None:
        if not any(topic.logs.values()):
            topic.publish(A, 1, copy=1)

    books.between = write
    assert names(topic, books)["missing"] == [(A, 1)]


def test_order_that_does_not_know_its_last_id_takes_any(topic: FakeTopic, books: FakeBooks) -> None:
    books.versions, books.keep_ids = {A: 1}, False
    topic.publish(A, 1, copy=1)
    assert names(topic, books) == {"missing": [], "never committed": [], "out of order": []}


def test_later_repeat_is_not_out_of_order(topic: FakeTopic, books: FakeBooks) -> None:
    books.versions = {A: 2}
    for version in (1, 2, 1):
        topic.publish(A, version)
    ledger = run(topic, books)
    assert (figures(ledger)["repeats"], figures(ledger)["out_of_order"]) == (1, 0)


def test_first_occurrence_after_a_later_version_is_out_of_order(topic: FakeTopic, books: FakeBooks) -> None:
    books.versions = {A: 3}
    for version in (1, 3, 2):
        topic.publish(A, version)
    assert names(topic, books)["out of order"] == [(A, 2)]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b"[" * 100_000,
        b'{"type":1,"subject":"%s","id":"%s","data":{"version":1}}' % (str(A).encode(), str(A).encode()),
        b'{"type":"order.placed","subject":"%s","id":"%s","data":{"version":true}}'
        % (str(A).encode(), str(A).encode()),
        b'{"type":"order.placed","subject":"%s","id":"%s","data":{"version":0}}'
        % (str(A).encode(), str(A).encode()),
        b'{"type":"order.placed","subject":"%s","id":"%s","data":{"version":99999999999}}'
        % (str(A).encode(), str(A).encode()),
        b'{"type":"order.placed","subject":7,"id":"%s","data":{"version":1}}' % str(A).encode(),
        b'{"type":"order.placed","subject":"%s","id":"%s","data":[]}' % (str(A).encode(), str(A).encode()),
        KafkaError(KafkaError._BAD_MSG),
    ],
)
def test_foreign_message_is_counted_and_nothing_else(
    topic: FakeTopic, books: FakeBooks, value: bytes | KafkaError
) -> None:
    topic.append(0, value)
    ledger = run(topic, books)
    assert ledger.foreign == 1
    assert set(figures(ledger).values()) == {0}


def test_test_event_is_ignored(topic: FakeTopic, books: FakeBooks) -> None:
    topic.append(0, b'{"type":"test.event"}')
    ledger = run(topic, books)
    assert ledger.foreign == 0
    assert set(figures(ledger).values()) == {0}


class TestRetention:
    """B's partition has lost its first message, and what it has left was appended at `FIRST_MS`."""

    FIRST_MS = 10_000_000

    @pytest.fixture
    def cut(self, topic: FakeTopic) -> FakeTopic:
        number = partition_of(str(B), PARTITIONS)
        topic.append(number, b"removed")
        topic.append(number, b'{"type":"test.event"}', self.FIRST_MS)
        topic.first[number] = 1
        return topic

    @pytest.mark.parametrize(("later_ms", "missing"), [(0, 0), (MARGIN_MS, 0), (MARGIN_MS + 1, 1)])
    def test_event_is_missing_when_it_is_younger_than_what_is_left(
        self, cut: FakeTopic, books: FakeBooks, later_ms: int, missing: int
    ) -> None:
        books.versions, books.placed_ms = {B: 1}, {B: self.FIRST_MS + later_ms}
        ledger = run(cut, books)
        assert (figures(ledger)["missing"], ledger.findings.removed) == (missing, 1 - missing)

    def test_nothing_of_an_empty_partition_is_missing_before_now(
        self, cut: FakeTopic, books: FakeBooks
    ) -> None:
        cut.first[partition_of(str(B), PARTITIONS)] = 2
        books.versions, books.placed_ms = {B: 1}, {B: self.FIRST_MS + MARGIN_MS + 1}
        assert figures(run(cut, books))["missing"] == 0

    def test_partition_that_has_lost_nothing_is_judged_whole(self, cut: FakeTopic, books: FakeBooks) -> None:
        other = next(
            order
            for order in map(UUID, (str(UUID(int=n)) for n in range(1, 99)))
            if partition_of(str(order), PARTITIONS) != partition_of(str(B), PARTITIONS)
        )
        books.versions = {other: 1}
        assert figures(run(cut, books))["missing"] == 1

    def test_what_is_removed_while_the_ledger_runs_is_not_missing(
        self, topic: FakeTopic, books: FakeBooks
    ) -> None:
        """The orders' page is read first; then B's event leaves the outbox, and Kafka too."""
        number = partition_of(str(B), PARTITIONS)
        books.versions, books.waiting = {B: 1}, {(B, 1)}

        def publish_and_remove() -> None:
            if books.waiting:
                topic.publish(B, 1, at_ms=1)
                topic.append(number, b'{"type":"test.event"}', at_ms=2)
                books.waiting.clear()
                topic.first[number] = 1

        books.between = publish_and_remove
        assert figures(run(topic, books))["missing"] == 0


ORDERS = st.sampled_from([A, B, C])
VERSIONS = st.integers(1, 5)
MESSAGES = st.one_of(
    st.tuples(ORDERS, VERSIONS, st.integers(0, 1)),
    st.sampled_from([b"", b"{}", b'{"type":"test.event"}']),
)


@given(
    messages=st.lists(MESSAGES, max_size=30),
    versions=st.dictionaries(ORDERS, VERSIONS),
    waiting=st.sets(st.tuples(ORDERS, VERSIONS)),
    discarded=st.sets(st.tuples(ORDERS, VERSIONS)),
    keep_ids=st.booleans(),
)
def test_figures_are_those_of_a_naive_count(
    messages: list[tuple[UUID, int, int] | bytes],
    versions: dict[UUID, int],
    waiting: set[tuple[UUID, int]],
    discarded: set[tuple[UUID, int]],
    keep_ids: bool,
) -> None:
    """Any losses, repeats, disorder, foreign messages and second ids."""
    topic = FakeTopic()
    books = FakeBooks(versions=versions, waiting=waiting, discarded=discarded, keep_ids=keep_ids)
    for each in messages:
        if isinstance(each, bytes):
            topic.append(0, each)
        else:
            topic.publish(each[0], each[1], copy=each[2])
    events = [each for each in messages if not isinstance(each, bytes)]
    committed = {(order, number) for order, last in versions.items() for number in range(1, last + 1)}
    others = [each for each in events if keep_ids and versions.get(each[0]) == each[1] and each[2]]
    own = [each for each in events if each not in others]
    seen = {each[:2] for each in own}

    def comes_after_a_later_one(number: int) -> bool:
        order, version, _ = own[number]
        before = [each[1] for each in own[:number] if each[0] == order]
        return version not in before and any(other > version for other in before)

    ledger = run(topic, books)
    assert figures(ledger) == {
        "committed": len(committed),
        "in_outbox": len(waiting),
        "parked": 0,
        "discarded": len(discarded),
        "in_kafka": len(seen),
        "repeats": len(events) - len(set(events)),
        "out_of_order": sum(comes_after_a_later_one(number) for number in range(len(own))),
        "missing": len(committed - seen - waiting - discarded),
        "never_committed": len({each for each in own if each[:2] not in committed})
        + len(set(others))
        + sum({(o, v, 0), (o, v, 1)} <= set(own) for o, v in seen & committed),
    }
    assert ledger.foreign == sum(each in (b"", b"{}") for each in messages)


@given(data=st.data())
def test_nothing_is_missing_whenever_the_shop_goes_on(data: st.DataObject) -> None:
    """Between any two steps of the ledger orders are placed and changed, and events published and deleted."""
    topic, books = FakeTopic(), FakeBooks()

    def go_on() -> None:
        for order, step in data.draw(st.lists(st.tuples(ORDERS, st.sampled_from("cpd")), max_size=6)):
            rows = sorted(version for each, version in books.waiting if each == order)
            if step == "c":
                books.versions[order] = books.versions.get(order, 0) + 1
                books.waiting.add((order, books.versions[order]))
            elif rows:
                topic.publish(order, rows[0])
                if step == "d":
                    books.waiting.discard((order, rows[0]))

    go_on()
    topic.on_read = books.between = go_on
    found = figures(run(topic, books))
    assert (found["missing"], found["never_committed"], found["out_of_order"]) == (0, 0, 0)


def signpost(at_ms: int) -> bytes:
    """Return what the command that gives the topic more partitions writes to each of them."""
    return (
        b'{"specversion":"1.0","id":"%s","type":"topic.grown","data":{"ends":[0]}}'
        % str(UUID(int=at_ms << 80 | 7 << 76)).encode()
    )


def test_events_that_went_to_another_partition_after_a_growth_are_in_order(
    topic: FakeTopic, books: FakeBooks
) -> None:
    """The later one is in the partition that is read first."""
    books.versions = {A: 3}
    topic.append(1, event(A, 1))
    for partition in range(PARTITIONS):
        topic.append(partition, signpost(at_ms=5))
    topic.append(1, event(A, 2))
    for partition in range(PARTITIONS):
        topic.append(partition, signpost(at_ms=9))
    topic.append(0, event(A, 3))
    ledger = run(topic, books)
    assert figures(ledger) | {"in_kafka": 3, "out_of_order": 0, "missing": 0} == figures(ledger)
    assert ledger.foreign == 0


def test_in_a_topic_that_was_grown_any_partition_may_have_lost_an_event(
    topic: FakeTopic, books: FakeBooks
) -> None:
    """The event was in a partition that the order's key no longer leads to."""
    books.versions = {A: 1}
    now_there = partition_of(str(A), PARTITIONS)
    topic.append((now_there + 1) % PARTITIONS, event(B, 1), at_ms=10 * MARGIN_MS)
    topic.first[(now_there + 1) % PARTITIONS] = 1
    topic.append((now_there + 1) % PARTITIONS, event(B, 1), at_ms=10 * MARGIN_MS)
    assert names(topic, books)["missing"] == [(A, 1)]
    topic.append(now_there, signpost(at_ms=9))
    assert names(topic, books)["missing"] == []

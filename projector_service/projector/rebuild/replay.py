"""A span of the topic, read into a copy of its own for somebody to look at. Nothing else changes."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from projector.readmodel.placement import Position
from projector.rebuild.progress import Distance
from projector.rebuild.run import Patience, Surroundings, covers
from projector.rebuild.shelf import CopyStore
from projector.store import copies, positions
from projector.store.database import transaction
from projector.topic.kafka import TopicAdmin
from projector.topic.lone_reader import Until
from projector.topic.session import Session


class CopyExists(Exception):
    """There is a copy of this name already."""


@dataclass(frozen=True)
class Span:
    """Offsets by partition: where to begin, and before which to end."""

    topic_id: str
    begins: Mapping[int, int]
    ends: Mapping[int, int]


def name_of(since: datetime, until: datetime | None) -> str:
    """Return the name of the copy for a span: the same for the same span. until: None for one that ended when it was
    read."""
    end = f"_{until:%Y%m%dt%H%M%S}" if until else ""
    return f"{copies.REPLAY}{since:%Y%m%dt%H%M%S}{end}"


def find_span(topic: TopicAdmin, since: datetime, until: datetime) -> Span:
    """Return what was put on the topic in this span, by Kafka's time of each message. Raises KafkaUnavailable."""
    info = topic.describe()
    begins = topic.offsets_at(range(info.partitions), since)
    ends = topic.offsets_at(range(info.partitions), until)
    return Span(info.id, begins, {p: max(begins[p], end) for p, end in ends.items()})


def create_copy(live: sa.Engine, copy: sa.Engine, name: str, span: Span) -> None:
    """Create the copy, to be read from where the span begins. Raises CopyExists, DatabaseUnavailable.

    copy: the engine of the unfinished copy, whose name says that it is one until `copies.finish`.
    """
    unfinished = copies.partial_name(name)
    if found := {name, unfinished} & set(copies.names(live, name)):
        raise CopyExists(min(found))
    copies.create(live, unfinished)
    try:
        with transaction(copy) as connection:
            positions.put(
                connection, {p: Position(span.topic_id, offset) for p, offset in span.begins.items()}
            )
    except BaseException:
        copies.drop(live, unfinished)
        raise


def replay(copy: sa.Engine, span: Span, around: Surroundings) -> None:
    """Read the span into the copy. Raises GivenUp, TopicRecreated, KafkaUnavailable."""
    topic, distance, patience = around.ask(), Distance(), Patience(around.clock)
    reader = around.read()
    with closing(Until(reader, span.ends)) as until:
        reader.take(span.ends)
        session = Session(span.topic_id, until, topic, CopyStore(copy), around.new_backoff(), around.clock)
        while not covers(session.positions, span.ends):
            session.step()
            around.progress.show(*distance.of(session.positions, span.ends))
            patience.watch(session.positions, session.problem)

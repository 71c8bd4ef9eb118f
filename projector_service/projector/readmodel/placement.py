"""Where to go on reading a partition, given what the table says and what Kafka still has."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """A row of the table of positions. next_offset: of the first message that is not applied yet.

    skipped: offsets that were gone before they were read. recreated: how often the topic was another one.
    """

    topic_id: str
    next_offset: int
    skipped: int = 0
    recreated: int = 0


@dataclass(frozen=True, slots=True)
class Log:
    """A partition in Kafka: the first offset that it has, and the one after its last message."""

    beginning: int
    end: int


def place(stored: Position | None, topic_id: str, log: Log) -> Position:
    """Return the position to read from.

    A partition that was never read begins with what retention has left. A topic that was created again is read from
    its beginning: its offsets say nothing about the old one's. Where retention has taken messages, reading goes on
    from the earliest one. Where the log has become shorter, which only an unclean election does, reading goes on from
    its end: what was lost is published again, behind it.
    """
    if stored is None:
        return Position(topic_id, log.beginning, skipped=log.beginning)
    if stored.topic_id != topic_id:
        return Position(topic_id, log.beginning, stored.skipped + log.beginning, stored.recreated + 1)
    if stored.next_offset < log.beginning:
        missed = log.beginning - stored.next_offset
        return Position(topic_id, log.beginning, stored.skipped + missed, stored.recreated)
    return Position(topic_id, min(stored.next_offset, log.end), stored.skipped, stored.recreated)

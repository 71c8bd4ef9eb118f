"""Messages and batches for tests."""

from collections.abc import Sequence

from projector.readmodel.batch import Batch, Message, Slice, read_message
from tests.order_events import FIRST, Told

TOPIC_ID = "topic-1"


def message(
    told: Told | bytes | None, partition: int = 0, offset: int = 0, key: bytes | None = None
) -> Message:
    """Return a message as it is read from Kafka. told: an event, or a value with a key of its own."""
    if isinstance(told, Told):
        return read_message(partition, offset, FIRST, key or told.key, told.value)
    return read_message(partition, offset, FIRST, key, told)


def log_of(partition: int, values: Sequence[Told | bytes | None], begin: int = 0) -> list[Message]:
    """Return messages that follow each other in a partition."""
    return [message(each, partition, begin + number) for number, each in enumerate(values)]


def batch(*messages: Message, topic_id: str = TOPIC_ID) -> Batch:
    """Return a batch that begins with each partition's first message and ends behind its last."""
    slices: dict[int, Slice] = {}
    for each in messages:
        known = slices.get(each.partition, Slice(each.offset, each.offset))
        slices[each.partition] = Slice(known.begin, each.offset + 1, [*known.messages, each])
    return Batch(topic_id, slices)

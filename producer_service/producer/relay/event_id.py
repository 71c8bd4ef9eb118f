"""How the read-back knows an event: by the `id` header of its message."""

import re
from typing import cast

from confluent_kafka import Message

_UUID = re.compile(rb"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def event_id_of(message: Message) -> str | None:
    """Return the event's id from its `id` header, or None: others may write to the topic too.

    To be called once for a message: when a header's name is not UTF-8, confluent_kafka's `headers()` raises
    SystemError the first time, and the second time returns a list whose use is a segmentation fault.
    """
    try:
        headers = cast("list[tuple[str, str | bytes | None]]", message.headers() or [])
    except SystemError:
        return None
    for name, value in headers:
        if name == "id":
            return value.decode() if isinstance(value, bytes) and _UUID.fullmatch(value) else None
    return None

"""Parses an event stream as the HTML standard tells browsers to."""

import json
import re
from dataclasses import dataclass
from typing import Any


@dataclass
class Block:
    """One dispatched event. last_id: the browser's last event id after it."""

    event: str
    data: str
    last_id: str

    @property
    def json(self) -> dict[str, Any]:
        """The data as a JSON object."""
        parsed: dict[str, Any] = json.loads(self.data)
        return parsed


def blocks(stream: bytes) -> list[Block]:
    """Return every event that a browser would dispatch."""
    found: list[Block] = []
    name, data, last_id = "message", [], ""
    for line in re.split("\r\n|\r|\n", stream.decode())[:-1]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            last_id = value
        elif not line:
            if data:
                found.append(Block(name, "\n".join(data), last_id))
            name, data = "message", []
    return found


def shown(stream: bytes) -> list[str]:
    """Return the data of the order and test events, without status and gap."""
    return [block.data for block in blocks(stream) if block.event == "message"]

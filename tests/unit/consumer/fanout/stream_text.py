"""Reads an event stream as the HTML standard tells browsers to."""

import json
import re
from dataclasses import dataclass


@dataclass
class Block:
    event: str
    data: str
    last_id: str

    @property
    def json(self) -> dict[str, object]:
        parsed: dict[str, object] = json.loads(self.data)
        return parsed


def blocks(stream: bytes) -> list[Block]:
    found, name, data, last_id = [], "message", [], ""
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
    return [block.data for block in blocks(stream) if block.event == "message"]

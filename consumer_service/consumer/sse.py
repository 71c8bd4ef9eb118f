"""Blocks of an event stream. Encoding only: who gets them and how is not known here."""

import json
from collections.abc import Mapping, Sequence

from consumer.batch import Gap
from consumer.position import Position


def events(payloads: Sequence[bytes], position: Position) -> bytes:
    """One block each; the position after all of them ends the last."""
    blocks = [b"data: " + payload.replace(b"\n", b"\ndata: ") for payload in payloads]
    return b"\n\n".join(blocks) + b"\nid: " + str(position).encode() + b"\n\n"


def named(event: str, data: Mapping[str, object], position: Position | None = None) -> bytes:
    text = json.dumps(data, separators=(",", ":"))
    end = f"id: {position}\n\n" if position else "\n"
    return f"event: {event}\ndata: {text}\n{end}".encode()


def status(state: str, position: Position) -> bytes:
    return named("status", {"state": state, "position": str(position)}, position)


def gap(gap: Gap) -> bytes:
    start = str(gap.start) if gap.start else None
    data = {"reason": gap.reason, "from": start, "to": str(gap.end), "lost": gap.lost}
    return named("gap", data, gap.end)


def busy(reason: str) -> bytes:
    return named("busy", {"reason": reason})


def retry(milliseconds: int) -> bytes:
    return b"retry: %d\n\n" % milliseconds

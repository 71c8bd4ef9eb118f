"""The blocks of an event stream (WHATWG HTML, Server-sent events). Encoding only: no viewers, no sockets."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from consumer.ring.position import Position
from consumer.ring.types import Gap


def events(payloads: Sequence[bytes], position: Position) -> bytes:
    """Encode one block per payload; the last block ends with the position after all of them as its id."""
    blocks = [b"data: " + payload.replace(b"\n", b"\ndata: ") for payload in payloads]
    return b"\n\n".join(blocks) + b"\nid: " + str(position).encode() + b"\n\n"


def named(event: str, data: Mapping[str, object], position: Position | None = None) -> bytes:
    """Encode a block with an `event:` line."""
    text = json.dumps(data, separators=(",", ":"))
    end = f"id: {position}\n\n" if position else "\n"
    return f"event: {event}\ndata: {text}\n{end}".encode()


def status(
    state: str, position: Position | None, replay: str = "", gap_follows: bool = False, has_id: bool = True
) -> bytes:
    """Encode a heartbeat, which is also a bookmark.

    position: None while it is not known yet where a time is in the topic. replay: for a viewer that is not live yet.
    gap_follows: whether the next block says that the position means nothing. has_id: whether a browser that is cut off
    after it resumes from there. The time is ours, for pages whose clock is
    wrong."""
    data: dict[str, object] = {"state": state, "position": str(position) if position else None}
    data["time"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if replay:
        data["replay"] = replay
    if gap_follows:
        data["gap"] = True
    return named("status", data, position if has_id else None)


def gap(gap: Gap) -> bytes:
    """Encode what could not be sent."""
    start = str(gap.start) if gap.start else None
    data = {"reason": gap.reason, "from": start, "to": str(gap.end), "lost": gap.lost}
    return named("gap", data, gap.end)


def stats(payload: bytes) -> bytes:
    """Encode figures. Without an id: they are no event, and the viewer resumes where it would without them."""
    return b"event: stats\ndata: " + payload.replace(b"\n", b"\ndata: ") + b"\n\n"


def busy(reason: str) -> bytes:
    """Encode the refusal of a stream."""
    return named("busy", {"reason": reason})


def retry(milliseconds: int) -> bytes:
    """Encode how long the browser waits before it reconnects."""
    return b"retry: %d\n\n" % milliseconds

"""How bytes that anyone may have written are shown: JSON indented, text as it is, anything else in hexadecimal."""

import json
import re
from typing import NamedTuple

from kafka_ui.messages.message import Kept

HEX_BYTES = 512
HEX_ROW = 16
# A character that cannot be seen or turns the text around is no text, or would show what is not there.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]")
UNSEEN = re.compile(r"[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
MAX_INDENT = 40


class Shown(NamedTuple):
    """A key, a header or a value as text. kind: json, text, bytes, empty or null; note: what is left out, or ""."""

    kind: str
    text: str
    note: str


def show(kept: Kept) -> Shown:
    """Return the text of a value."""
    if kept.data is None:
        return Shown("null", "", "")
    if not kept.size:
        return Shown("empty", "", "")
    cut = "" if kept.is_whole else f"the first {len(kept.data):,} of {kept.size:,} bytes"
    text = _decode(kept)
    if text is None:
        shown = kept.data[:HEX_BYTES]
        left_out = len(shown) < kept.size
        return Shown(
            "bytes", hexadecimal(shown), f"the first {len(shown)} of {kept.size:,} bytes" if left_out else ""
        )
    if kept.is_whole and _is_json(text):
        return Shown("json", UNSEEN.sub(_escape, indented(text)), "")
    return Shown("text", UNSEEN.sub(_escape, text), cut)


def _decode(kept: Kept) -> str | None:
    data = kept.data or b""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if kept.is_whole or error.start < len(data) - 3:
            return None
        text = data[: error.start].decode()  # the cut went through a character
    return None if CONTROL.search(text) else text


def _is_json(text: str) -> bool:
    """Return whether it is an object or an array. Only looked at: numbers and repeated names are shown as they came."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def indented(text: str) -> str:
    """Return valid JSON with a line for each member, and otherwise unchanged."""
    out: list[str] = []
    depth = 0
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', text):
        if token in "}]":
            depth -= 1
            if out[-1] in ("{", "["):
                out.append(token)
            else:
                out += [_line(depth), token]
            continue
        if out and out[-1] in ("{", "[", ","):
            out.append(_line(depth))
        out.append(": " if token == ":" else token)
        depth += token in "{["
    return "".join(out)


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, MAX_INDENT)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def hexadecimal(data: bytes) -> str:
    """Return lines of an offset, the bytes, and the same as ASCII."""
    rows = []
    for at in range(0, len(data), HEX_ROW):
        row = data[at : at + HEX_ROW]
        ascii_ = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        rows.append(f"{at:06x}  {row.hex(' '):<{3 * HEX_ROW - 1}}  {ascii_}")
    return "\n".join(rows)

"""The golden messages: what is on the topic, byte for byte, one message a file."""

from pathlib import Path

from tests.project import CONTRACTS

PATHS = sorted((CONTRACTS / "examples").glob("*.json"))
ORDER_PATHS = [path for path in PATHS if path.stem.startswith("order.")]


def read(path: Path) -> bytes:
    """Return the message's bytes as they are in Kafka: without the file's last line break."""
    return path.read_bytes().rstrip(b"\n")

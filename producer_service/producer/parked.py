"""What an operator does about events that Kafka refuses: the relay's `parked`, `requeue` and `discard`."""

import sys
from uuid import UUID

from producer.outbox import Outbox

USAGE = """usage: python -m producer.relay                run the relay
       python -m producer.relay check          exit 0 when a relay of this machine is alive
       python -m producer.relay parked         list the events that Kafka has refused
       python -m producer.relay requeue ID     offer one to Kafka again
       python -m producer.relay discard ID     give one up, on record; later events of its order flow"""


def main(outbox: Outbox, arguments: list[str]) -> int:
    """Exit status 0 when it was done, 1 when there is no such parked event, 2 for a wrong command."""
    match arguments:
        case ["parked"]:
            return _list(outbox)
        case ["requeue" | "discard" as command, text] if (event_id := _event_id(text)) is not None:
            done = outbox.requeue(event_id) if command == "requeue" else outbox.discard(event_id)
            if not done:
                print(f"no event {event_id} is parked", file=sys.stderr)
            return 0 if done else 1
    print(USAGE, file=sys.stderr)
    return 2


def _list(outbox: Outbox) -> int:
    for row in outbox.parked():
        moment = row.parked_at.isoformat(timespec="seconds")
        print(f"{row.id}  {row.type} {row.aggregateid} version {row.version}  {moment}  {row.parked_reason}")
    return 0


def _event_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

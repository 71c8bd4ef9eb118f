"""The events of the bench: order events of the contract's form, all of one length, with a number and a due time."""

import json

MARK = "seq=%010d due=%020d"
MARK_BYTES = len(MARK % (0, 0))
ORDER = "019ab0c4-5e10-7c11-9a2b-%012d"
EVENT = json.dumps(
    {
        "specversion": "1.0",
        "id": "019ab0c4-5e10-7a01-8b3c-%012d",
        "source": "/orders",
        "type": "order.placed",
        "subject": ORDER,
        "time": "2026-11-22T14:05:06.123456Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:order-stream:order-event:1",
        "data": {
            "order_id": ORDER,
            "version": 1,
            "status": "placed",
            "customer_name": "Ada",
            "item": "Basic Tee",
            "description": MARK,
            "unit_price": "32.00",
            "quantity": 2,
            "total": "64.00",
            "placed_at": "2026-11-22T14:05:06.123456Z",
        },
    },
    separators=(",", ":"),
)


def event(number: int, due_ns: int) -> bytes:
    """Return the event of a number. due_ns: when it is due, by the machine's monotonic clock."""
    return (EVENT % (number, number, number, number, due_ns)).encode()


STRIDE = len(event(0, 0)) - MARK_BYTES
"""How many bytes there are at least between the marks of two events."""

"""The examples of the OpenAPI document: bodies of requests and responses."""

from producer.openapi.parts import Part

ORDER_ID = "01939b1e-6b1c-7c3a-8b1e-0123456789ab"
DRAFT: Part = {
    "customer_name": "Ada Lovelace",
    "item": "Basic Tee",
    "description": "Gift wrap, please",
    "unit_price": "32.00",
    "quantity": 2,
}
OTHER_DRAFT: Part = {"customer_name": "Zoë Brandt", "item": "Ceramic Mug", "unit_price": "8.5", "quantity": 1}
MOMENT = "2026-11-22T14:05:06.123456Z"
ORDER: Part = {
    "id": ORDER_ID,
    **DRAFT,
    "total": "64.00",
    "status": "placed",
    "version": 1,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
OTHER_ORDER: Part = ORDER | OTHER_DRAFT | {"description": "", "unit_price": "8.50", "total": "8.50"}
READY: Part = {
    "status": "ok",
    "checks": {
        "database": {"status": "ok"},
        "kafka": {"status": "ok"},
        "outbox": {"rows": 3, "oldest_s": 0.018, "parked": 0},
        "breaker": {"state": "closed"},
    },
}
UNAVAILABLE = READY | {
    "status": "unavailable",
    "checks": READY["checks"]
    | {
        "database": {"status": "unavailable", "detail": "connection refused"},
        "outbox": {"rows": None, "oldest_s": None, "parked": None},
    },
}

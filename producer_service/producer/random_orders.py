"""Made-up orders that look like real ones."""

import random
from decimal import Decimal
from functools import cache

from faker import Faker

from producer.draft import OrderDraft

_ITEMS = {
    "Basic Tee": (12, 35),
    "Canvas Tote": (15, 40),
    "Ceramic Mug": (8, 24),
    "Desk Lamp": (25, 120),
    "Espresso Beans 1 kg": (16, 42),
    "Field Notebook": (6, 18),
    "Mechanical Keyboard": (70, 240),
    "Merino Socks": (9, 22),
    "Noise-cancelling Headphones": (90, 380),
    "Rain Jacket": (60, 210),
    "Running Shoes": (55, 180),
    "Stainless Bottle": (14, 38),
    "USB-C Cable 2 m": (7, 25),
    "Wool Blanket": (45, 160),
}
_NOTES = ("", "", "", "Gift wrap, please", "Leave with the neighbour", "Second order this week", "Size M")


@cache
def _faker() -> Faker:
    return Faker(["en_GB", "de_DE", "fr_FR", "es_ES", "pt_BR", "pl_PL"])


def random_draft() -> OrderDraft:
    item, (low, high) = random.choice(list(_ITEMS.items()))
    return OrderDraft(
        customer_name=_faker().name()[:100],
        item=item,
        description=random.choice(_NOTES),
        unit_price=str(Decimal(random.randint(low * 100, high * 100)) / 100),  # type: ignore[arg-type]
        quantity=random.choices((1, 2, 3, 4, 5, 10), weights=(50, 25, 10, 6, 5, 4))[0],
    )

"""Made-up orders that look like real ones."""

import random
from functools import cache

from faker import Faker

from producer.demo.catalogue import ITEMS, NOTES, Item
from producer.domain.draft import OrderDraft

LOCALES = ("en_GB", "en_US", "de_DE", "fr_FR", "es_ES", "it_IT", "pt_BR", "pl_PL", "nl_NL", "sv_SE", "tr_TR")
QUANTITIES = {
    "single": ((1, 2), (95, 5)),
    "few": ((1, 2, 3, 4, 5), (50, 28, 12, 6, 4)),
    "many": ((1, 2, 4, 6, 8, 12, 24), (14, 18, 24, 22, 8, 10, 4)),
}
ENDINGS = (0, 50, 90, 95, 99)
WITH_NOTE = 0.25


@cache
def _fakers() -> list[Faker]:
    """Return one generator of names per country, so that first and last names match."""
    return [Faker(locale, providers=["faker.providers.person"]) for locale in LOCALES]


def random_draft() -> OrderDraft:
    """Return a made-up order that passes the same validation as a customer's."""
    item = random.choice(ITEMS)
    faker = random.choice(_fakers())
    sizes, weights = QUANTITIES[item.bought]
    return OrderDraft.model_validate(
        {
            "customer_name": f"{faker.first_name()} {faker.last_name()}"[:100],
            "item": item.name,
            "description": _description(item),
            "unit_price": f"{random.randrange(item.low, item.high)}.{random.choice(ENDINGS):02}",
            "quantity": random.choices(sizes, weights)[0],
        }
    )


def _description(item: Item) -> str:
    variant = [random.choice(item.variants)] if item.variants else []
    note = [random.choice(NOTES)] if random.random() < WITH_NOTE else []
    return ". ".join(part[0].upper() + part[1:] for part in variant + note)

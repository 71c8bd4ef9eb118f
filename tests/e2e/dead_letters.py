"""What the projector has parked, and how a test that put garbage on the topic gives it up."""

import psycopg2
import requests

from local_stack.services import POSTGRES
from tests.compose.stack import ComposeStack
from tests.eventually import eventually
from tests.stack import Stack


def answer(stack: Stack, question: str) -> str:
    """Return what the database answers to a question, as text."""
    if isinstance(stack, ComposeStack):
        return stack.compose(
            "exec", "-T", POSTGRES, "psql", "-AtU", "orders", "-d", "orders", "-c", question
        ).strip()
    with psycopg2.connect(stack.env["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        return str(cursor.fetchone()[0])  # type: ignore[index]


def dead_letters(stack: Stack) -> list[str]:
    """Return the ids of the messages of orders that the projector has parked."""
    ids = "SELECT coalesce(string_agg(id::text, ' '), '') FROM projection.dead_letters"
    return answer(stack, f"{ids} WHERE discarded_at IS NULL AND order_id IS NOT NULL").split()


def give_up_dead_letters(stack: Stack) -> None:
    """Discard what the projector parks of events that are none, until all that was on its way has come to it."""
    eventually(lambda: dead_letters(stack), within=30)

    def is_over() -> bool:
        for letter in dead_letters(stack):  # the relay may have published an event twice
            stack.run("dlq", "discard", letter)
        assert answer(stack, "SELECT count(*) FROM outbox") == "0"
        health = requests.get(stack.env["PROJECTOR_URL"] + "/health/ready", timeout=10).json()
        assert health["checks"]["reading"]["lag"] == 0, health
        return stack.is_healthy()

    eventually(is_over, within=90, every=0.5)

"""The producer: takes orders, keeps them in PostgreSQL, publishes each change to Kafka."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from producer.config import Settings


def create_app(settings: "Settings | None" = None) -> "Flask":
    """Return the web application. Settings come from the environment unless they are given."""
    # Imported here: `python -m producer.relay` and its like do without Flask.
    from producer.app import create_app  # noqa: PLC0415

    return create_app(settings)

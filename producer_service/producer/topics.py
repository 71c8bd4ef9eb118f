"""`python -m producer.topics`: creates and checks the topic. A one-shot that may be repeated."""

import logging
import sys

import click
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from producer.config import Settings
from producer.publishing.kafka import admin_settings
from producer.publishing.topics import TopicMismatch, ensure


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Create the topic unless it exists, and check that it is what the settings ask for."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    settings = Settings()
    try:
        ensure(AdminClient(admin_settings(settings)), settings)
    except (KafkaException, TopicMismatch) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main(prog_name="python -m producer.topics")

"""`python -m producer.topics`: creates and checks the topic. A one-shot that may be repeated.

`python -m producer.topics grow N` gives it more partitions.
"""

import logging
import sys

import click
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from producer.config import Settings
from producer.domain.database import create_engine
from producer.domain.layout import NoLayout
from producer.publishing.growing_topic import KafkaTopic
from producer.publishing.growth import Growth, GrowthRefused
from producer.publishing.kafka import admin_settings
from producer.publishing.layout_change import DATABASE_S, HoldEnded, LayoutChange
from producer.publishing.topics import TopicMismatch, ensure


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Create the topic unless it exists, and check that it is what the settings ask for; or a command."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    context.obj = settings = Settings()
    if context.invoked_subcommand is not None:
        return
    try:
        ensure(AdminClient(admin_settings(settings)), settings)
    except (KafkaException, TopicMismatch) as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.argument("partitions", type=click.IntRange(min=1), metavar="N")
@click.pass_obj
def grow(settings: Settings, partitions: int) -> None:
    """Give the topic N partitions, while orders are taken. To be run as the relay."""
    engine = create_engine(settings.sqlalchemy_url, 2, DATABASE_S, isolation_level="AUTOCOMMIT")
    change = LayoutChange(engine, uuid7(), settings.cdc_slot)
    try:
        Growth(change, KafkaTopic(settings), click.echo).grow(partitions)
    except (GrowthRefused, HoldEnded, NoLayout) as error:
        raise click.ClickException(str(error)) from error
    except KafkaException as error:
        raise click.ClickException(f"Kafka does not answer as needed: {error.args[0].str()}") from error
    except SQLAlchemyError as error:
        raise click.ClickException(f"PostgreSQL does not answer: {str(error).splitlines()[0]}") from error
    finally:
        change.close()


if __name__ == "__main__":
    main(prog_name="python -m producer.topics")

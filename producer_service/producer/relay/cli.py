"""The relay's command line: run it, check it, and handle the events that Kafka refused."""

import logging
import sys
from uuid import UUID

import click

from producer.config import Settings
from producer.relay import heartbeat, service
from producer.relay.outbox import Outbox


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def relay(context: click.Context) -> None:
    """Run the relay until SIGTERM or SIGINT, or a command."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    context.obj = Settings()
    if context.invoked_subcommand is None:
        service.serve(context.obj)


@relay.command()
@click.pass_obj
def check(settings: Settings) -> None:
    """Exit with status 0 when a relay on this machine is alive; tell how its read-back lags."""
    if (problem := heartbeat.problem(settings.relay_heartbeat_file)) is not None:
        raise click.ClickException(problem)
    click.echo(heartbeat.report(settings.relay_heartbeat_file))


@relay.command()
@click.pass_obj
def parked(settings: Settings) -> None:
    """List the events that Kafka has refused."""
    for row in _outbox(settings).parked():
        moment = row.parked_at.isoformat(timespec="seconds")
        click.echo(
            f"{row.id}  {row.type} {row.aggregateid} version {row.version}  {moment}  {row.parked_reason}"
        )


@relay.command()
@click.argument("event_id", type=click.UUID, metavar="ID")
@click.pass_obj
def requeue(settings: Settings, event_id: UUID) -> None:
    """Offer a parked event to Kafka again."""
    _require(_outbox(settings).requeue(event_id), event_id)


@relay.command()
@click.argument("event_id", type=click.UUID, metavar="ID")
@click.pass_obj
def discard(settings: Settings, event_id: UUID) -> None:
    """Give a parked event up, on record; later events of its order flow."""
    _require(_outbox(settings).discard(event_id), event_id)


def _outbox(settings: Settings) -> Outbox:
    return Outbox(service.create_relay_engine(settings))


def _require(found: bool, event_id: UUID) -> None:
    if not found:
        raise click.ClickException(f"No event {event_id} is parked.")

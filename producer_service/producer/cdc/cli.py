"""The keeper's command line: run it, and check it."""

import logging
import sys

import click

from producer.cdc import heartbeat, service
from producer.config import Settings


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cdc(context: click.Context) -> None:
    """Keep Debezium's connector running until SIGTERM or SIGINT, or run a command."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    context.obj = Settings()
    if context.invoked_subcommand is None:
        service.serve(context.obj)


@cdc.command()
@click.pass_obj
def check(settings: Settings) -> None:
    """Exit with status 0 when a keeper on this machine is alive; tell what is wrong with the connector or its slot."""
    if (problem := heartbeat.problem(settings.connector_heartbeat_file)) is not None:
        raise click.ClickException(problem)
    click.echo(heartbeat.report(settings.connector_heartbeat_file))

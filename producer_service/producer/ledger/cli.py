"""The ledger's command line. Exit codes: 0 all is well, 1 something is missing or never committed, 2 it could not be
found out, 130 interrupted."""

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import click
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from producer.config import Settings
from producer.domain.database import CommitUnknown, Database, create_engine
from producer.ledger import report
from producer.ledger.books import Books
from producer.ledger.recover import Recovery
from producer.ledger.repair import Repair, RepairRuns
from producer.ledger.run import Ledger
from producer.ledger.timeline import timeline
from producer.ledger.topic import Topic, TopicMoved
from producer.publishing.kafka import admin_settings, ledger_consumer_settings

# A count of a million rows takes longer than a request may.
DATABASE_TIMEOUT_S = 30.0

WELL, WRONG, UNKNOWN, INTERRUPTED = 0, 1, 2, 130


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--order", "order_id", type=click.UUID, metavar="ID", help="Print the timeline of one order.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--repair", is_flag=True, help="Put what is missing back into the outbox.")
@click.option(
    "--recover", is_flag=True, help="Put what only Kafka has back into the orders, after a restore."
)
def ledger(order_id: UUID | None, as_json: bool, repair: bool, recover: bool) -> int:
    """Compare the orders, the outbox and the topic, as far back as the topic goes.

    The exit status is 1 when an event is missing (and not put back) or was never committed.
    """
    if (order_id is not None) + recover + (as_json or repair) > 1:
        raise click.UsageError("--order and --recover go with no other option.")
    settings = Settings()
    if recover:
        return _recover(settings)
    if order_id is not None:
        return _print_timeline(settings, order_id)
    return _print_figures(settings, as_json, repair)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code. An error is one line."""
    try:
        return int(ledger.main(arguments, prog_name="ledger", standalone_mode=False) or 0)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
    except KafkaException as error:
        _fail(f"Kafka: {error.args[0].str()}")
    except SQLAlchemyError as error:
        _fail(f"PostgreSQL: {_first_line(error)}")
    except CommitUnknown as error:
        _fail(f"PostgreSQL: {_first_line(error.__cause__ or error)}")
    except sqlite3.Error as error:
        _fail(f"The temporary folder {tempfile.gettempdir()} (TMPDIR): {error}")
    except ValidationError as error:
        _fail(f"The settings are wrong: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}")
    except (TopicMoved, RepairRuns) as error:
        _fail(str(error))
    return UNKNOWN


def _print_figures(settings: Settings, as_json: bool, repair: bool) -> int:
    engine = create_engine(settings.sqlalchemy_url, 2, DATABASE_TIMEOUT_S, isolation_level="AUTOCOMMIT")
    found = Ledger(_topic(settings), Books(engine), _progress, _now_ms)
    outcome = None
    if repair:
        outcome = Repair(_database(settings)).put_back(found.run())
    else:
        for _ in found.run():
            pass
    click.echo(json.dumps(report.figures(found)) if as_json else report.table(found))
    for line in [*report.notes(found), *(report.repair_notes(outcome) if outcome else [])]:
        click.echo(line, err=as_json)
    left = outcome.refused.total() if outcome else found.findings.missing.count
    return WRONG if left or found.findings.never_committed.count else WELL


def _recover(settings: Settings) -> int:
    outcome = Recovery(_topic(settings), _database(settings), _progress).run()
    click.echo("\n".join(report.recovery_notes(outcome)))
    return WRONG if outcome.refused else WELL


def _print_timeline(settings: Settings, order_id: UUID) -> int:
    topic = _topic(settings)
    engine = create_engine(settings.sqlalchemy_url, 1, DATABASE_TIMEOUT_S, isolation_level="AUTOCOMMIT")
    retention = Ledger(topic, Books(engine), _progress, _now_ms).retention
    found = timeline(order_id, _database(settings), topic, retention, _progress)
    click.echo("\n".join([found.title, *(f"  {line}" for line in found.lines)]))
    return WELL if found.is_whole else WRONG


def _topic(settings: Settings) -> Topic:
    def new_consumer() -> Consumer:
        return Consumer(ledger_consumer_settings(settings))

    return Topic(new_consumer, AdminClient(admin_settings(settings) | {"log_level": 0}), settings.kafka_topic)


def _database(settings: Settings) -> Database:
    return Database(settings.sqlalchemy_url, 2, DATABASE_TIMEOUT_S)


@contextmanager
def _progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, and nothing elsewhere."""
    with click.progressbar(
        length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield bar.update


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().partition("\n")[0]


def _fail(reason: str) -> None:
    click.echo(f"error: {reason}", err=True)

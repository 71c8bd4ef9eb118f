"""`python -m projector rebuild`."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import click
import sqlalchemy as sa

from projector.backoff import Backoff, BackoffPolicy
from projector.config import Settings
from projector.rebuild import progress, replay
from projector.rebuild.moments import NoTime, read_span
from projector.rebuild.replay import CopyExists
from projector.rebuild.run import GivenUp, Rebuild, Surroundings
from projector.rebuild.shelf import Outcome, Shelf
from projector.store import copies
from projector.store.copies import AnotherRebuild, CannotSwap
from projector.store.database import DatabaseUnavailable, Refused, create_engine
from projector.store.queries import Queries, Stats
from projector.topic.kafka import KafkaUnavailable, TopicAdmin
from projector.topic.lone_reader import LoneReader, lone_settings
from projector.topic.session import TopicRecreated

HOW_TO_DROP = "To drop it: ./start_project.sh rebuild --drop {}"
UNFINISHED = "it is being read, or a command that was killed has left it unfinished"


@click.command()
@click.option("--from", "since", metavar="TIME", help="Read from this time on into a copy for an analysis.")
@click.option("--to", "until", metavar="TIME", help="Only up to this time; with --from.")
@click.option("--list", "is_list", is_flag=True, help="List such copies, and say which are unfinished.")
@click.option("--drop", "dropped", metavar="SCHEMA", help="Drop such a copy.")
def rebuild(since: str | None, until: str | None, is_list: bool, dropped: str | None) -> None:
    """Make the figures anew from the topic, beside the present ones, and swap the two.

    With --from, only read a span of the topic into a schema of its own. TIME is 14:05 or 2026-11-22T14:05:00Z, by
    Kafka's clock; in UTC unless it says otherwise.
    """
    chosen = (since is not None) + (dropped is not None) + is_list
    if (until is not None and since is None) or chosen > 1:
        raise click.UsageError("--to goes with --from, and --list and --drop with nothing.")
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    settings = Settings()
    with _errors_in_one_line(), _terminated_like_interrupted():
        if is_list:
            _list(settings)
        elif dropped is not None:
            _drop(settings, dropped)
        elif since is not None:
            _replay(settings, since, until)
        else:
            _rebuild(settings)


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    try:
        yield
    except AnotherRebuild as error:
        raise click.ClickException("Another rebuild is running; nothing was changed.") from error
    except CannotSwap as error:
        raise click.ClickException(f"The new figures cannot take their place: {error}.") from error
    except CopyExists as error:
        why = f": {UNFINISHED}" if copies.is_partial(str(error)) else ""
        raise click.ClickException(f"{error} exists already{why}. {HOW_TO_DROP.format(error)}") from error
    except DatabaseUnavailable as error:
        raise click.ClickException(f"The database does not do it: {error}") from error
    except Refused as error:
        raise click.ClickException(f"The database refuses it: {error}") from error
    except KafkaUnavailable as error:
        raise click.ClickException(f"Kafka does not answer: {error}") from error
    except TopicRecreated as error:
        raise click.ClickException("The topic was created again meanwhile; nothing is left.") from error
    except (GivenUp, NoTime) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, which leaves nothing behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _engine(settings: Settings, pool_size: int, schema: str = "projection") -> sa.Engine:
    return create_engine(settings.sqlalchemy_url, pool_size, settings.database_timeout_s, schema=schema)


def _reader(settings: Settings) -> LoneReader:
    own = lone_settings(settings.kafka_bootstrap_servers)
    return LoneReader(own, settings.kafka_topic, settings.projector_batch)


def _topic(settings: Settings) -> TopicAdmin:
    return TopicAdmin(settings.kafka_bootstrap_servers, settings.kafka_topic)


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _tell_over_bar(line: str) -> None:
    _tell(f"\r\033[K{line}")


def _surroundings(settings: Settings) -> Surroundings:
    is_terminal = sys.stderr.isatty()
    return Surroundings(
        read=partial(_reader, settings),
        ask=partial(_topic, settings),
        new_backoff=lambda: Backoff(BackoffPolicy()),
        clock=time.monotonic,
        pause=threading.Event().wait,
        tell=_tell_over_bar if is_terminal else _tell,
        progress=progress.shown_on(is_terminal, _tell, time.monotonic),
    )


def _rebuild(settings: Settings) -> None:
    live = _engine(settings, 3)
    shelf = Shelf(live, lambda name: _engine(settings, 2, name))
    around = _surroundings(settings)
    try:
        for name in shelf.open(_topic(settings).describe().partitions):
            _tell(f"Removed {name}, which a rebuild that was killed has left.")
        _tell(
            f"Reading the topic {settings.kafka_topic} from its beginning; the present figures are answered meanwhile."
        )
        outcome = Rebuild(shelf, around).run()
    finally:
        around.progress.end()
        _close(shelf)
        live.dispose()
    click.echo("\n".join(_table(outcome)))


def _close(shelf: Shelf) -> None:
    try:
        shelf.close()
    except DatabaseUnavailable as error:
        _tell(f"{shelf.name} may be left in the database ({error}); the next rebuild removes it.")


def _table(outcome: Outcome) -> Iterator[str]:
    yield "The new figures have taken the place of the old ones."
    yield f"{'':8}{'before':>20}{'now':>20}"
    for name, before, now in zip(
        ("orders", "events", "revenue"), *map(_figures, (outcome.before, outcome.after)), strict=True
    ):
        yield f"{name:8}{before:>20,}{now:>20,}"


def _figures(stats: Stats) -> tuple[object, ...]:
    return sum(stats.by_status.values()), stats.events, stats.revenue


def _replay(settings: Settings, begin: str, end: str | None) -> None:
    since, until = read_span(begin, end, datetime.now(UTC))
    name = replay.name_of(since, None if end is None else until)
    unfinished = copies.partial_name(name)
    live, copy, around = _engine(settings, 1), _engine(settings, 2, unfinished), _surroundings(settings)
    span = replay.find_span(_topic(settings), since, until)
    replay.create_copy(live, copy, name, span)
    _tell(
        f"Reading what was put on {settings.kafka_topic} from {since:%FT%TZ} to {until:%FT%TZ} into the schema {name}."
    )
    try:
        replay.replay(copy, span, around)
        orders, events, revenue = _figures(Queries(copy).stats())
        copies.finish(live, name)
    except BaseException:
        copies.drop(live, unfinished)
        raise
    finally:
        around.progress.end()
    click.echo(f"The schema {name} has what these events add up to, in the tables of the schema projection:")
    click.echo(f"{orders:,} orders, {events:,} events, revenue {revenue:,}")
    click.echo(HOW_TO_DROP.format(name))


def _list(settings: Settings) -> None:
    for name in copies.names(_engine(settings, 1), copies.REPLAY):
        click.echo(f"{name}  {UNFINISHED}" if copies.is_partial(name) else name)


def _drop(settings: Settings, name: str) -> None:
    live = _engine(settings, 1)
    if not name.startswith(copies.REPLAY) or name not in copies.names(live, copies.REPLAY):
        known = ", ".join(copies.names(live, copies.REPLAY)) or "none"
        raise click.ClickException(f"There is no copy {name}; there are: {known}.")
    copies.drop(live, name)
    click.echo(f"Dropped {name}.")

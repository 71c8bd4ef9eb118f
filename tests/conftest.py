"""One stack for the whole run: real PostgreSQL and real Kafka on free ports, in a temporary folder."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from confluent_kafka.admin import AdminClient

from producer.config import Settings
from producer.publishing import topics
from producer.publishing.kafka import admin_settings
from tests.compose.stack import ComposeStack
from tests.e2e.viewer import OpenViewer, Viewer
from tests.eventually import eventually
from tests.groups import GroupScheduling, order_of
from tests.integration.containers import ContainerStack
from tests.project import ROOT
from tests.runbook import Operator
from tests.shop import Shop
from tests.stack import Stack, borrow_environment, clone
from tests.zookeeper_stack import ZooKeeperStack

DRIVER = "postgresql+psycopg2"

# A suite that is run on a fake and on the real thing tells as much of a failure as any test.
pytest.register_assert_rewrite(
    "tests.unit.consumer.topic.topic_contract",
    "tests.unit.producer.relay.outbox_contract",
    "tests.unit.producer.relay.topic_contract",
    "tests.unit.projector.store_contract",
)

# How long an example takes says nothing on a shared machine.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack", choices=list(STACKS), default="native", help="what the tests run on")
    parser.addoption("--stores", help="the home of a native stack whose stores run and are to be used")
    parser.addoption("--pictures", help="the folder in which the browser tests store their pictures")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: order_of(item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the services that are not healthy have logged: the stack is deleted with the run."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for stack in item.funcargs.values():
            if isinstance(stack, Stack):
                with suppress(OSError, ValueError, AssertionError, subprocess.SubprocessError):
                    report.sections.append(("services that are not healthy", stack.last_words()))
                break
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    return GroupScheduling(config, log)


STACKS: dict[str, type[Stack]] = {
    "native": Stack,
    "zookeeper": ZooKeeperStack,
    "compose": ComposeStack,
    "containers": ContainerStack,
}


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    kind, home = STACKS[request.config.getoption("--stack")], request.config.getoption("--stores")
    with kind.found(home) if home else kind.started() as stack:
        yield stack


@pytest.fixture(scope="session")
def kafka(stack: Stack) -> str:
    """The bootstrap servers of three real brokers."""
    return stack.env["KAFKA_BOOTSTRAP_SERVERS"]


@pytest.fixture(scope="session")
def postgres(stack: Stack) -> sa.URL:
    return sa.make_url(stack.env["DATABASE_URL"])


def migrate(url: sa.URL) -> None:
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT / "db",
        env=os.environ | {"DATABASE_URL": url.render_as_string(hide_password=False)},
        check=True,
        timeout=60,
        capture_output=True,
    )


@pytest.fixture(scope="session")
def database_url(postgres: sa.URL) -> Iterator[str]:
    """The libpq URL of a migrated database for the tests, beside the one that the stack's services use."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server = sa.create_engine(postgres.set(drivername=DRIVER), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    migrate(postgres.set(database=name))
    yield postgres.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def settings(kafka: str, database_url: str, tmp_path: Path) -> Settings:
    """The producer's settings, with empty tables and the name of a topic for this test only."""
    settings = Settings(
        database_url=database_url,
        kafka_bootstrap_servers=kafka,
        kafka_topic=f"orders-{uuid.uuid4().hex[:12]}",
        kafka_topic_partitions=3,
        relay_lease_s=6,
        relay_heartbeat_file=tmp_path / "relay.heartbeat",
    )
    engine = sa.create_engine(settings.sqlalchemy_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE orders, outbox, outbox_discarded, idempotency_keys, layout"))
        connection.execute(sa.text("INSERT INTO layout DEFAULT VALUES"))
    return settings


@pytest.fixture
def topic(settings: Settings) -> Iterator[str]:
    """The name of the test's topic, which is created for this test and deleted after it."""
    admin = AdminClient(admin_settings(settings))
    topics.ensure(admin, settings)
    yield settings.kafka_topic
    admin.delete_topics([settings.kafka_topic])[settings.kafka_topic].result(10)


@pytest.fixture(scope="session")
def running_stack(stack: Stack) -> Stack:
    stack.run("start")
    return stack


@pytest.fixture
def restored_stack(running_stack: Stack) -> Iterator[Stack]:
    """The stack for tests that break a part of it: the test fails unless all is healthy again afterwards."""
    yield running_stack
    running_stack.run("start")
    eventually(running_stack.is_healthy, within=90)


@pytest.fixture(scope="session")
def operator(running_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """Someone who types commands in a folder of the project whose stack is the running one."""
    if isinstance(running_stack, ComposeStack):
        return Operator(running_stack.folder, running_stack.environment, "docker")
    folder = tmp_path_factory.mktemp("operator")
    clone(folder)
    (folder / ".local").symlink_to(running_stack.home)
    borrow_environment(running_stack.home, folder)
    # Natively, even where a Docker engine would answer.
    return Operator(folder, running_stack.environment | {"DOCKER_HOST": "unix:///nowhere"}, "native")


@pytest.fixture
def shop(running_stack: Stack) -> Shop:
    return Shop(running_stack.env["PRODUCER_URL"])


@pytest.fixture
def open_viewer(running_stack: Stack) -> Iterator[OpenViewer]:
    """Open a stream and return its viewer once it is live; the stream is closed after the test."""
    with ExitStack() as open_streams:

        def open_viewer() -> Viewer:
            viewer = open_streams.enter_context(Viewer(running_stack.env["CONSUMER_URL"] + "/stream"))
            eventually(viewer.is_live)
            return viewer

        yield open_viewer


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Do not ignore SIGINT, even when the tests run as a shell's background job: children would ignore it too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

"""An operator meets each fault of docs/runbook.md, sees what the page says, and types what it says."""

import json
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg2
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from local_stack.services import BROKERS, CONSUMER, POSTGRES, PRODUCER, RELAY
from producer.domain.status import Status
from tests.compose.stack import KILL, ComposeStack, docker
from tests.e2e.customer import Customer
from tests.e2e.dead_letters import answer, dead_letters, give_up_dead_letters
from tests.e2e.viewer import OpenViewer
from tests.eventually import eventually
from tests.runbook import Operator, plays
from tests.shop import Shop
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("restored_stack")

PARKED = """
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at, parked_at, parked_reason)
VALUES ('{}', 'order', '{}', 'order.placed', '{{}}', 1, false, now(), now(), 'Broker: Message size too large')
"""


@contextmanager
def frozen(stack: Stack, service: str) -> Iterator[None]:
    """Suspend a service for the time of the block; what was restarted meanwhile is not touched."""
    if isinstance(stack, ComposeStack):
        # Not by `docker pause`, which Docker would know about.
        (container,) = stack.compose("ps", "--quiet", service).split()
        _, *pids = docker("top", container, "-o", "pid").split()
        subprocess.run([*KILL, "/bin/sh", "-c", f"kill -STOP {' '.join(pids)}"], check=True, timeout=60)
        yield  # its restart has ended them
        return
    main = psutil.Process(int(stack.services()[service]["pid"]))
    family = [main, *main.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGSTOP)
    yield
    for process in family:
        if process.is_running():
            process.send_signal(signal.SIGCONT)


def execute(stack: Stack, *statements: str) -> None:
    """Run statements as the owner of the database, each in a transaction of its own."""
    if isinstance(stack, ComposeStack):
        commands = [word for statement in statements for word in ("-c", statement)]
        stack.compose("exec", "-T", POSTGRES, "psql", "-qU", "orders", "-d", "orders", *commands)
        return
    connection = psycopg2.connect(stack.env["DATABASE_URL"])
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


def archive_all(stack: Stack, folder: Path) -> None:
    """Wait until what the database has committed so far is in the archive that is being written to `folder`."""
    segment = answer(stack, "SELECT pg_walfile_name(pg_switch_wal())")
    eventually((folder / "wal" / segment).exists, within=30)


@plays("First look")
def test_first_look(operator: Operator, shop: Shop) -> None:
    shop.place()
    operator.play("First look")


@plays("More partitions")
def test_more_partitions(operator: Operator, shop: Shop) -> None:
    shop.place()
    operator.play("More partitions")


@plays("One broker is down")
def test_one_broker_is_down(operator: Operator, running_stack: Stack) -> None:
    running_stack.run("stop", BROKERS[0])
    operator.play("One broker is down")


@plays("One broker hangs")
def test_one_broker_hangs(operator: Operator, running_stack: Stack) -> None:
    with frozen(running_stack, BROKERS[0]):
        operator.play("One broker hangs")


@plays("Two brokers are down")
def test_two_brokers_are_down(
    operator: Operator, running_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer = open_viewer()
    running_stack.run("stop", *BROKERS[:2])
    placed = [shop.place() for _ in range(5)]
    operator.play("Two brokers are down")
    eventually(lambda: viewer.has_seen(placed), within=30)


@plays("All brokers are down")
def test_all_brokers_are_down(
    operator: Operator, running_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer = open_viewer()
    running_stack.run("stop", *BROKERS)
    placed = [shop.place() for _ in range(5)]
    operator.play("All brokers are down")
    eventually(lambda: viewer.has_seen(placed), within=30)


@plays("The topic was deleted or created again")
def test_topic_is_deleted(
    operator: Operator, running_stack: Stack, kafka: str, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer = open_viewer()
    placed = shop.place()
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.delete_topics(["orders"])["orders"].result(10)
    operator.play("The topic was deleted or created again")
    eventually(lambda: "recreated" in [gap["reason"] for gap in viewer.gaps()], within=30)
    newer = shop.place()
    eventually(lambda: viewer.has_seen([placed, newer]), within=30)


@plays("A broker's disk is full")
@plays("PostgreSQL's disk is full")
@plays("Out of memory", "docker")
def test_looking_how_much_is_used(operator: Operator) -> None:
    operator.play("A broker's disk is full")
    operator.play("PostgreSQL's disk is full")
    if operator.way == "docker":
        operator.play("Out of memory")


@plays("PostgreSQL is down")
def test_postgresql_is_down(operator: Operator, running_stack: Stack) -> None:
    running_stack.run("stop", POSTGRES)
    operator.play("PostgreSQL is down")


@plays("PostgreSQL hangs")
def test_postgresql_hangs(operator: Operator, running_stack: Stack) -> None:
    with frozen(running_stack, POSTGRES):
        operator.play("PostgreSQL hangs")


@plays("PostgreSQL is read-only")
def test_postgresql_is_read_only(operator: Operator, running_stack: Stack, shop: Shop) -> None:
    execute(
        running_stack,
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "SELECT pg_reload_conf()",
    )
    operator.play("PostgreSQL is read-only")
    shop.place()


@plays("The relay is down")
def test_relay_is_down(operator: Operator, running_stack: Stack, shop: Shop) -> None:
    running_stack.run("stop", RELAY)
    shop.place()
    operator.play("The relay is down")


@plays("The producer is down")
def test_producer_is_down(operator: Operator, running_stack: Stack) -> None:
    running_stack.run("stop", PRODUCER)
    operator.play("The producer is down")


@plays("The consumer is down")
def test_consumer_is_down(
    operator: Operator, running_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer = open_viewer()
    running_stack.run("stop", CONSUMER)
    placed = shop.place()
    operator.play("The consumer is down")
    eventually(lambda: viewer.has_seen([placed]), within=30)
    assert not viewer.gaps()


@plays("The outbox grows")
def test_outbox_is_too_old(operator: Operator, running_stack: Stack, shop: Shop) -> None:
    running_stack.run("stop", RELAY)
    order_id = shop.place()
    execute(
        running_stack,
        f"UPDATE outbox SET created_at = now() - interval '2 days' WHERE aggregateid = '{order_id}'",
    )
    operator.play("The outbox grows")


@plays("Events are parked")
def test_events_are_parked(operator: Operator, running_stack: Stack) -> None:
    event_id = str(uuid.uuid4())
    execute(running_stack, PARKED.format(event_id, uuid.uuid4()))
    operator.play("Events are parked", ID=event_id)
    give_up_dead_letters(running_stack)


@plays("The figures are old", "native")
def test_figures_are_old(operator: Operator, shop: Shop) -> None:
    if operator.way != "native":
        pytest.skip("its commands are for the native stack")
    shop.place()
    operator.play("The figures are old")


@plays("The projector has parked messages", "native")
def test_projector_has_parked_messages(operator: Operator, running_stack: Stack, kafka: str) -> None:
    if operator.way == "docker":
        pytest.skip("its console is the native one")
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce("orders", b"{", key=str(uuid.uuid4()).encode())
    assert producer.flush(20) == 0
    (letter,) = eventually(lambda: dead_letters(running_stack), within=30)
    operator.play("The projector has parked messages", NUMBER=letter)


@plays("The figures are doubted")
def test_figures_are_doubted(operator: Operator, running_stack: Stack, shop: Shop) -> None:
    order_id = shop.place()
    known = f"SELECT count(*) FROM projection.orders WHERE order_id = '{order_id}' AND status = 'placed'"
    eventually(lambda: answer(running_stack, known) == "1", within=30)
    execute(running_stack, f"UPDATE projection.orders SET status = 'lost' WHERE order_id = '{order_id}'")
    operator.play("The figures are doubted")
    assert answer(running_stack, known) == "1"


@plays("The clock was wrong")
def test_ledger_after_the_clock_was_wrong(operator: Operator) -> None:
    operator.play("The clock was wrong")


@plays("Passwords and certificates")
def test_passwords_are_replaced(operator: Operator, shop: Shop) -> None:
    operator.play("Passwords and certificates")
    eventually(shop.is_healthy, within=30)
    shop.place()


@plays("Backup")
@plays("Archive")
@plays("Restore")
@plays("After a restore")
def test_database_is_lost_and_restored(
    operator: Operator, running_stack: Stack, shop: Shop, open_viewer: OpenViewer, tmp_path: Path
) -> None:
    """Orders are taken after the backup, with the archive; then more without it; then the disk is gone."""
    folder, later = str(tmp_path / "backups"), str(tmp_path / "later")
    viewer = open_viewer()
    before = shop.place()
    operator.play("Backup", FOLDER=folder)
    with operator.begin("Archive", FOLDER=folder) as archive:
        archived, changed = shop.place(), shop.place()
        eventually(lambda: viewer.has_seen([before, archived, changed]), within=30)
        archive_all(running_stack, Path(folder))
        archive.end()
    shop.change_status(changed, Status.CONFIRMED)
    lost = shop.place()
    eventually(lambda: viewer.has_seen([lost]) and viewer.times_seen()[changed] == 2, within=30)
    orders = shop.count_orders()
    operator.play("Restore", FOLDER=folder)
    said = operator.type("./start_project.sh ledger --json").splitlines()
    ledger = json.loads(next(line for line in said if line.startswith("{")))  # stderr comes between
    assert ledger["never_committed"] == 2
    assert ledger["missing"] == 0
    operator.play("After a restore", NEWFOLDER=later)
    assert shop.count_orders() == orders
    shop.change_status(changed, Status.SHIPPED)
    eventually(lambda: viewer.times_seen()[changed] == 3, within=30)
    assert viewer.times_seen()[lost] == 1
    assert "another database, or of this one before it was restored" in operator.type(
        f"./start_project.sh backup {folder}"
    )


def test_restore_to_a_time(operator: Operator, running_stack: Stack, shop: Shop, tmp_path: Path) -> None:
    """Somebody deletes what he should not; the archive has what came before."""
    folder = str(tmp_path / "backups")
    operator.play("Backup", FOLDER=folder)
    with operator.begin("Archive", FOLDER=folder) as archive:
        kept = shop.place()
        moment = answer(running_stack, "SELECT now()")
        execute(running_stack, f"DELETE FROM orders WHERE id = '{kept}'")
        archive_all(running_stack, Path(folder))
        archive.end()
    assert kept not in shop.order_ids(at_most=200)
    said = operator.type(f"./start_project.sh restore {folder} --to '2020-01-01T00:00:00Z'")
    assert "has no backup that ended before" in said
    assert "Nothing was changed" in said
    said = operator.type(f"./start_project.sh restore {folder} --to '{moment}'")
    assert "restored  base-" in said, said
    running_stack.run("start")
    assert kept in shop.order_ids(at_most=200)


def test_damaged_backup_is_refused_and_nothing_is_changed(
    operator: Operator, running_stack: Stack, shop: Shop, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    order_id = shop.place()
    operator.play("Backup", FOLDER=str(folder))
    (version,) = folder.glob("base-*/PG_VERSION")
    version.write_text("17\n")
    assert "is damaged. Nothing was changed." in operator.type(f"./start_project.sh restore {folder}")
    running_stack.run("start")
    assert order_id in shop.order_ids(at_most=200)


@plays("Brokers, one after the other")
def test_brokers_are_restarted_under_load(
    operator: Operator, running_stack: Stack, shop: Shop, open_viewer: OpenViewer
) -> None:
    viewer = open_viewer()
    with Customer(shop) as customer:
        customer.place_more(20)
        operator.play("Brokers, one after the other")
        customer.place_more(20)
    assert customer.refused == []
    eventually(lambda: viewer.has_seen(customer.acknowledged), within=60)
    assert not viewer.gaps()
    eventually(lambda: shop.count_outbox_rows() == 0, within=40)


@plays("PostgreSQL's next major version")
def test_database_is_dumped_and_loaded(
    operator: Operator, running_stack: Stack, shop: Shop, tmp_path: Path
) -> None:
    placed = shop.place()
    operator.play("PostgreSQL's next major version", DUMP=str(tmp_path / "dump"))
    eventually(shop.is_healthy, within=30)
    shop.change_status(placed, Status.CONFIRMED)


@plays("How much disk it takes")
def test_retention_is_changed(operator: Operator, kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})

    def retention() -> str:
        topic = ConfigResource(ConfigResource.Type.TOPIC, "orders")
        return str(admin.describe_configs([topic])[topic].result(10)["retention.ms"].value)

    operator.play("How much disk it takes")
    assert eventually(lambda: retention() == str(2 * 24 * 3600 * 1000))
    default = ConfigResource(ConfigResource.Type.TOPIC, "orders")
    default.add_incremental_config(
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)
    )
    admin.incremental_alter_configs([default])[default].result(10)

"""The rights of the database roles in db/roles.sql, as `python migrate.py` grants them."""

from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from db.roles import ROLES
from local_stack.services import CONNECT, PRODUCER, PROJECTOR, RELAY
from producer import create_app
from producer.config import Settings
from producer.domain.database import Database
from producer.domain.models import DiscardedEvent
from producer.domain.status import Status
from producer.ledger.books import Books, Totals
from producer.ledger.repair import Repair
from producer.ledger.sightings import Missing
from producer.publishing.notify import CHANNEL
from producer.relay.outbox import Outbox
from tests.integration.producer.conftest import services_of
from tests.shop import ORDER


def engine_of(url: str) -> sa.Engine:
    address = sa.make_url(url).set(drivername="postgresql+psycopg2")
    return sa.create_engine(address, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")


@pytest.fixture
def relay_outbox(roles: dict[str, str]) -> Outbox:
    return Outbox(engine_of(roles[RELAY]))


# With the schema: to a role that may not use it, a name without it says nothing at all.
REFUSED_TO_ALL = [
    "CREATE TABLE public.mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "DROP TABLE public.orders",
    "DROP TABLE public.outbox",
    "TRUNCATE public.outbox",
    "ALTER TABLE public.outbox ADD mine int",
    "CREATE INDEX mine ON public.outbox (id)",
    "SELECT * FROM public.alembic_version",
    "SET ROLE orders",
    "COPY public.outbox TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/passwd')",
]
REFUSED = {
    PRODUCER: [
        *REFUSED_TO_ALL,
        "TRUNCATE orders",
        "DELETE FROM orders",
        "DELETE FROM outbox",
        "UPDATE outbox SET due_at = now()",
        "UPDATE layout SET partitions = 3",
        "SELECT payload FROM outbox_discarded",
        "INSERT INTO outbox_discarded SELECT * FROM outbox_discarded",
        "DELETE FROM idempotency_keys",
        "SET ROLE relay",
    ],
    RELAY: [
        *REFUSED_TO_ALL,
        "SELECT * FROM orders",
        "UPDATE orders SET status = 'shipped'",
        "DELETE FROM orders",
        "INSERT INTO outbox SELECT * FROM outbox",
        "SELECT body FROM idempotency_keys",
        "UPDATE idempotency_keys SET body = ''",
        "DELETE FROM outbox_discarded",
        "UPDATE outbox_discarded SET version = 1",
        "DELETE FROM layout",
        "INSERT INTO layout DEFAULT VALUES",
        "SET ROLE producer",
    ],
    CONNECT: [
        *REFUSED_TO_ALL,
        "SELECT * FROM public.orders",
        "INSERT INTO public.outbox SELECT * FROM public.outbox",
        "UPDATE public.outbox SET due_at = now()",
        "DELETE FROM public.outbox",
        "SELECT * FROM public.outbox_discarded",
        "SELECT * FROM public.layout",
        "SELECT key FROM public.idempotency_keys",
        "DROP PUBLICATION outbox",
        "CREATE PUBLICATION mine FOR TABLE public.outbox",
        "SET ROLE producer",
    ],
    PROJECTOR: [
        *REFUSED_TO_ALL,
        "SELECT * FROM public.orders",
        "SELECT * FROM public.outbox",
        "INSERT INTO public.outbox SELECT * FROM public.outbox",
        "SELECT * FROM public.idempotency_keys",
        "CREATE TABLE projection.mine (id int)",
        "DELETE FROM projection.timeline",
        "DELETE FROM projection.positions",
        "TRUNCATE projection.orders",
        "DROP TABLE projection.dead_letters",
        "DROP SCHEMA projection CASCADE",
    ],
}
OTHERS_STAY_OUT = ["SELECT * FROM projection.orders", "DELETE FROM projection.dead_letters"]
REFUSED[PRODUCER] += OTHERS_STAY_OUT
REFUSED[RELAY] += OTHERS_STAY_OUT


@pytest.mark.parametrize(
    ("role", "statement"), [(role, statement) for role, each in REFUSED.items() for statement in each]
)
def test_database_role_is_refused_a_statement(roles: dict[str, str], role: str, statement: str) -> None:
    engine = engine_of(roles[role])
    refused = pytest.raises(ProgrammingError, match=r"permission denied|must be owner")
    with engine.connect() as connection, refused:
        connection.execute(sa.text(statement))


def test_database_role_may_log_in_and_nothing_else(roles: dict[str, str], database_url: str) -> None:
    rights = sa.text(
        "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolname = ANY(:roles)"
    )
    with engine_of(database_url).connect() as connection:
        found = [tuple(row) for row in connection.execute(rights, {"roles": list(ROLES)})]
    assert sorted(found) == [
        (role, True, False, False, False, role == CONNECT, False) for role in sorted(ROLES)
    ]


def test_other_roles_may_not_even_connect(roles: dict[str, str], database_url: str) -> None:
    name = f"stranger_{uuid4().hex[:12]}"
    may = sa.text(
        "SELECT has_database_privilege(:name, current_database(), 'CONNECT'),"
        " has_schema_privilege(:name, 'public', 'USAGE'), has_schema_privilege(:name, 'public', 'CREATE')"
    )
    with engine_of(database_url).connect() as connection:
        connection.execute(sa.text(f"CREATE ROLE {name} LOGIN"))
        try:
            allowed = tuple(connection.execute(may, {"name": name}).one())
        finally:
            connection.execute(sa.text(f"DROP ROLE {name}"))
    assert allowed == (False, False, False)


def test_database_role_cannot_grant_its_rights(roles: dict[str, str]) -> None:
    """PostgreSQL only warns about such a GRANT, so the privilege itself is checked."""
    with engine_of(roles[PRODUCER]).connect() as connection:
        connection.execute(sa.text("GRANT SELECT ON orders TO relay"))
        allowed = connection.execute(sa.text("SELECT has_table_privilege('relay', 'orders', 'SELECT')"))
        assert allowed.scalar_one() is False


def test_producer_role_has_the_rights_it_needs(roles: dict[str, str], settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"database_url": roles[PRODUCER]}))
    client = app.test_client()
    key = {"Idempotency-Key": uuid4().hex}
    placed = client.post("/orders", json=ORDER, headers=key)
    assert placed.status_code == 201
    assert client.post("/orders", json=ORDER, headers=key).get_json() == placed.get_json()
    order = f"/orders/{placed.get_json()['id']}"
    assert client.patch(order, json={"status": Status.CONFIRMED}).status_code == 200
    assert client.get(order).get_json()["version"] == 2
    assert client.get("/orders").get_json()["orders"]
    assert client.post("/orders/random", json={"count": 3}).status_code == 201
    services_of(app).stop()


def test_producer_role_has_the_rights_of_the_ledger(
    roles: dict[str, str], database_url: str, settings: Settings
) -> None:
    owner = create_app(settings.model_copy(update={"publisher": "relay", "database_url": database_url}))
    order_id = owner.test_client().post("/orders", json=ORDER).get_json()["id"]
    with services_of(owner).database.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM outbox"))
    services_of(owner).stop()
    books = Books(engine_of(roles[PRODUCER]))
    assert books.totals() == Totals(0, 0, 0)
    assert [order.version for page in books.pages() for order in page] == [1]
    database = Database(settings.model_copy(update={"database_url": roles[PRODUCER]}).sqlalchemy_url, 2, 5)
    assert Repair(database).put_back([Missing(UUID(order_id).bytes, 1, 0)]).put_back == 1
    with database.transaction():
        assert DiscardedEvent.of_order(UUID(order_id)) == []
    database.engine.dispose()


def test_relay_role_has_the_rights_it_needs(
    roles: dict[str, str], relay_outbox: Outbox, database_url: str, settings: Settings
) -> None:
    owner = create_app(settings.model_copy(update={"publisher": "relay", "database_url": database_url}))
    for _ in range(3):
        assert owner.test_client().post("/orders", json=ORDER).status_code == 201
    assert relay_outbox.has_due()
    assert relay_outbox.oldest_unparked()
    first, second, third = relay_outbox.claim(10)[0]
    assert relay_outbox.delete([str(first.id)]) == 0
    relay_outbox.park(second.id, "too large")
    relay_outbox.park(third.id, "too large")
    assert len(relay_outbox.parked()) == 2
    assert relay_outbox.requeue(UUID(second.id))
    assert relay_outbox.discard(UUID(third.id))
    relay_outbox.delete_expired_keys(10)
    with engine_of(roles[RELAY]).connect() as connection:
        connection.execute(sa.text(f"LISTEN {CHANNEL}"))
    services_of(owner).stop()

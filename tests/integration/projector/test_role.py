"""The projector logs in as a role of its own (db/roles.sql); what that may not do: tests/integration/producer."""

from uuid import UUID

import pytest
import sqlalchemy as sa

from local_stack.services import PROJECTOR
from projector.services import PostgresStore
from projector.store import dead_letters, decisions
from projector.store.database import create_engine, transaction
from projector.store.queries import Queries
from tests.conftest import DRIVER
from tests.integration.producer.conftest import roles
from tests.order_events import Told
from tests.unit.projector.messages import TOPIC_ID, batch, message
from tests.unit.projector.store_contract import LOGS

__all__ = ["roles"]

BAD = Told(UUID(int=1))


@pytest.mark.usefixtures("empty_read_models")
def test_projector_role_has_the_rights_it_needs(roles: dict[str, str]) -> None:
    engine = create_engine(sa.make_url(roles[PROJECTOR]).set(drivername=DRIVER), 1, 5)
    store, queries = PostgresStore(engine), Queries(engine)
    store.find_places(TOPIC_ID, LOGS)
    store.find_places(TOPIC_ID, LOGS)
    store.apply(batch(message(Told(UUID(int=2))), message(b"{", 0, 1, key=BAD.key), message(BAD, 0, 2)))
    with transaction(engine) as connection:
        letters = dead_letters.unpublished(connection, 10)
        dead_letters.mark_published(connection, letters)
    assert decisions.requeue(engine, letters[0].id).still_parked == 2
    assert decisions.discard(engine, letters[0].id).applied == 1
    assert queries.stats().events == 2
    assert queries.series(1)
    assert queries.items(1)
    assert queries.figures(1, 1).stats == queries.stats()
    assert queries.timeline(BAD.order_id)
    assert queries.positions()
    assert queries.counts().parked == 0
    engine.dispose()

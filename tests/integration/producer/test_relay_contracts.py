"""PostgreSQL and Kafka as the relay uses them: the same suites as its fakes."""

import pytest
import sqlalchemy as sa
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from producer.config import Settings
from producer.publishing.kafka import admin_settings, consumer_settings, producer_settings
from producer.relay.dispatch import DispatchOutbox
from producer.relay.outbox import Outbox
from tests.unit.producer.relay.outbox_contract import OutboxContract
from tests.unit.producer.relay.topic_contract import TopicContract

PUT = sa.text(
    "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version, direct, due_at)"
    " VALUES (gen_random_uuid(), 'order', gen_random_uuid(), 'order.placed', :payload, 1, false, now())"
)
PUT_EXPIRED_KEYS = sa.text(
    "INSERT INTO idempotency_keys SELECT 'k' || n, '', 201, NULL, '', now() - interval '1 s'"
    " FROM generate_series(1, :many) AS n"
)


class RealShelf:
    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.outbox: DispatchOutbox = Outbox(engine)

    def put(self, payload: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(PUT, {"payload": payload})

    def put_expired_keys(self, many: int) -> None:
        with self._engine.connect() as connection:
            connection.execute(PUT_EXPIRED_KEYS, {"many": many})

    def break_down(self) -> None:
        nowhere = self._engine.url.set(host="127.0.0.1", port=1)
        self.outbox = Outbox(sa.create_engine(nowhere, poolclass=sa.NullPool))


class TestRealOutbox(OutboxContract):
    @pytest.fixture
    def shelf(self, relay_engine: sa.Engine, settings: Settings) -> RealShelf:
        return RealShelf(relay_engine)


class RealLog:
    def __init__(self, settings: Settings) -> None:
        self._settings, self.name = settings, settings.kafka_topic
        self._producer = Producer(producer_settings(settings))

    def new_consumer(self) -> Consumer:
        return Consumer(consumer_settings(self._settings))

    def new_admin(self) -> AdminClient:
        return AdminClient(admin_settings(self._settings))

    def put(self, partition: int, event_id: str) -> None:
        self._producer.produce(self.name, b"{}", partition=partition, headers=[("id", event_id)])
        assert self._producer.flush(10) == 0


class TestRealTopic(TopicContract):
    @pytest.fixture
    def log(self, settings: Settings, topic: str) -> RealLog:
        return RealLog(settings)

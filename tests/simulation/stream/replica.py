"""One consumer process: the product's services, its threads as actors, and requests to its web application."""

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask

from consumer.config import Settings
from consumer.services import Services, create_services
from consumer.web import errors, security
from consumer.web.dashboard import dashboard
from consumer.web.stream import stream
from tests.simulation.stream.kafka import TOPIC
from tests.simulation.stream.scheduler import Actor
from tests.simulation.stream.sockets import Connection, FakeSocket

if TYPE_CHECKING:
    from tests.simulation.stream.world import World

Answered = Callable[[int, bytes], None]
STALE_AFTER_S = 10.0


def create_app() -> Flask:
    """Return the web application without services: each request brings its replica's."""
    app = Flask("consumer")
    errors.init_app(app)
    security.init_app(app, ["localhost"])
    app.register_blueprint(dashboard)
    app.register_blueprint(stream)
    return app


class Replica:
    """A consumer process from its start to its end."""

    def __init__(self, world: "World", name: str, setup: Mapping[str, Any]) -> None:
        self.world = world
        self.name = name
        settings = Settings.model_construct(
            kafka_bootstrap_servers="kafka:9092",
            kafka_topic=TOPIC,
            kafka_stats_topic="",  # nobody here asks for figures
            ring_events=setup["ring_events"],
            ring_bytes=setup["ring_bytes"],
            event_bytes=1000,
            replay_bytes=setup["replay_bytes"],
            orders_remembered=setup["orders_remembered"],
            client_buffer_bytes=setup["buffer_bytes"],
            fanout="sockets",
        )
        self.settings = settings
        self.services: Services = create_services(settings, world.scheduler.clock)
        self.actors: list[Actor] = []
        self.connections: list[Connection] = []
        self._unanswered: dict[Actor, Answered] = {}
        self.start()

    def start(self) -> None:
        """Start the threads."""
        scheduler = self.world.scheduler
        before = len(scheduler.actors)
        self.services.start()
        self.actors = scheduler.actors[before:]
        for actor in self.actors:
            actor.name = f"{self.name}'s {actor.name}"

    def actor(self, kind: str) -> Actor | None:
        """Return one of the threads by its name."""
        return next((actor for actor in self.actors if actor.name.endswith(kind)), None)

    def request(
        self, name: str, path: str, query: str, answered: Answered,
        headers: Mapping[str, str] | None = None, connection: Connection | None = None, hijack: bool = True,
    ) -> Actor:  # fmt: skip
        """Start a request in a thread of its own; `answered` gets the status and body, or 0 when it is lost."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "5002",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "simulation.services": self.services,
            "simulation.hijack": hijack,
        } | dict(headers or {})
        if connection is not None:
            environ["gunicorn.socket"] = FakeSocket(connection)

        def first_answer(status: int, body: bytes) -> None:
            del self._unanswered[actor]
            answered(status, body)

        actor = self.world.scheduler.spawn(name, lambda: self._serve(environ, first_answer, connection))
        self.actors.append(actor)
        self._unanswered[actor] = answered
        return actor

    def _serve(self, environ: dict[str, Any], answered: Answered, connection: Connection | None) -> None:
        status = [0]

        def start_response(line: str, *_: object) -> Callable[[bytes], object]:
            status[0] = int(line[:3])
            return lambda _data: None

        body = self.world.app.wsgi_app(environ, start_response)
        try:
            if connection is None:
                answered(status[0], b"".join(body))
            else:
                answered(status[0], b"")
                self._write(body, connection)
        except (OSError, TimeoutError):
            if connection is not None:
                connection.is_closed_by_server = True
        finally:
            if hasattr(body, "close"):
                body.close()

    def _write(self, body: Any, connection: Connection) -> None:
        """Write a response as gunicorn's thread does: it waits while the buffer is full, for a bounded time."""
        scheduler = self.world.scheduler
        is_hijacked = False
        for block in body:
            is_hijacked = is_hijacked or not block
            while block:
                scheduler.pause("writing a response")
                ready = lambda: connection.is_reset or len(connection.buffer) < connection.room  # noqa: E731
                if not scheduler.wait(ready, self.settings.client_stall_s, "room in a viewer's socket"):
                    raise TimeoutError
                block = block[FakeSocket(connection).send(block) :]
        if not is_hijacked:
            connection.is_closed_by_server = True

    def kill(self) -> None:
        """End the process where it stands."""
        for actor in self.actors:
            if not actor.is_done:
                self.world.scheduler.kill(actor)
        for connection in self.connections:
            connection.is_reset = True
        for answered in self._unanswered.values():
            answered(0, b"")

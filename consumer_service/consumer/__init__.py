"""Kafka to browsers: reads the topic `orders` and shows every event to everyone at once."""

from flask import Flask

from consumer.config import Settings
from consumer.services import EXTENSION, create_services
from consumer.web import errors, security
from consumer.web.dashboard import dashboard
from consumer.web.figures import figures
from consumer.web.health import health
from consumer.web.stream import stream

MAX_BODY_BYTES = 64 << 10


def create_app(settings: Settings | None = None) -> Flask:
    """Return the web application. Settings come from the environment unless they are given."""
    settings = settings or Settings()
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions[EXTENSION] = create_services(settings)
    errors.init_app(app)
    security.init_app(app, settings.trusted_host_list)
    for blueprint in (dashboard, figures, stream, health):
        app.register_blueprint(blueprint)
    return app

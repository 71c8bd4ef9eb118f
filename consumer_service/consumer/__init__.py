"""Kafka to browsers: reads the topic `orders` and shows every event to everyone at once."""

from flask import Flask

from consumer import dashboard, errors, guard, health, stream
from consumer.config import Settings
from consumer.service import Service


def create_app(settings: Settings | None = None) -> Flask:
    """Registers and returns. `app.extensions["consumer"]` is what gunicorn.conf.py starts after the fork."""
    settings = settings or Settings()
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 64 << 10
    app.extensions["consumer"] = Service(settings)
    errors.register(app)
    guard.register(app, settings.hosts)
    app.register_blueprint(dashboard.blueprint)
    app.register_blueprint(stream.blueprint)
    app.register_blueprint(health.blueprint)
    return app

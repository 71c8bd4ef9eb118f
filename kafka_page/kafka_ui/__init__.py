"""Kafka in the browser, read-only: the cluster, its topics, their messages, its consumer groups."""

from flask import Flask

from kafka_ui.config import Settings
from kafka_ui.services import EXTENSION, create_services
from kafka_ui.web import errors, formats, security
from kafka_ui.web.groups import groups
from kafka_ui.web.health import health
from kafka_ui.web.messages import messages
from kafka_ui.web.pages import pages
from kafka_ui.web.tail import tail


def create_app(settings: Settings | None = None) -> Flask:
    """Return the web application. Settings come from the environment unless they are given."""
    settings = settings or Settings()
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 0  # nothing is ever sent here
    app.extensions[EXTENSION] = create_services(settings)
    errors.init_app(app)
    formats.init_app(app)
    security.init_app(app, settings.trusted_host_list)
    for blueprint in (pages, messages, tail, groups, health):
        app.register_blueprint(blueprint)
    return app

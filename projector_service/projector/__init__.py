"""What the orders add up to: a consumer group over the topic `orders` that keeps read models in PostgreSQL."""

from flask import Flask

from projector.config import Settings
from projector.openapi.view import openapi_document
from projector.services import EXTENSION, create_services
from projector.web import errors, security
from projector.web.health import health
from projector.web.stats import stats
from projector.web.timeline import timeline

MAX_BODY_BYTES = 64 << 10


def create_app(settings: Settings | None = None) -> Flask:
    """Return the web application. Settings come from the environment unless they are given."""
    settings = settings or Settings()
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions[EXTENSION] = create_services(settings)
    errors.init_app(app)
    security.init_app(app, settings.trusted_host_list)
    for blueprint in (stats, timeline, health, openapi_document):
        app.register_blueprint(blueprint)
    return app

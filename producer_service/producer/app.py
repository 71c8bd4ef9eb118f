"""The web application, put together from its parts."""

from flask import Flask

from producer.config import Settings
from producer.openapi.view import openapi_document
from producer.services import EXTENSION, create_services
from producer.web import errors, security
from producer.web.fast_path import FastPath
from producer.web.health import health
from producer.web.orders import orders
from producer.web.pages import pages


def create_app(settings: Settings | None = None) -> Flask:
    """Return the web application. Settings come from the environment unless they are given."""
    settings = settings or Settings()
    app = Flask("producer")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions[EXTENSION] = create_services(settings)
    errors.init_app(app)
    trusted_hosts = security.TrustedHosts(settings.trusted_host_list)
    security.init_app(app, trusted_hosts)
    for blueprint in (pages, openapi_document, orders, health):
        app.register_blueprint(blueprint)
    app.wsgi_app = FastPath(app, trusted_hosts)  # type: ignore[method-assign]  # as Flask's documentation has it
    return app

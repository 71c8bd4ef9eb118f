"""The pages for people; what they show comes over the REST API."""

import json

from flask import Blueprint, Response, make_response, render_template

from producer.domain.status import TRANSITIONS
from producer.services import current_services
from producer.web.security import content_security_policy

pages = Blueprint("pages", __name__)


@pages.get("/")
def checkout() -> str:
    """Render the checkout page. It offers the transitions of an order from the same table as the API."""
    return render_template("checkout.html", transitions=json.dumps(TRANSITIONS))


@pages.get("/docs")
def docs() -> Response:
    """Render our page around Swagger UI, whose stylesheet contains its icons as data: images."""
    page = make_response(render_template("docs.html"))
    page.headers["Content-Security-Policy"] = content_security_policy(images="'self' data:")
    return page


@pages.context_processor
def links() -> dict[str, str]:
    """Give every template the address of the dashboard."""
    return {"dashboard": current_services().settings.consumer_url}

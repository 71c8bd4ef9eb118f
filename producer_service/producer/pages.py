"""The pages that people see; what they show comes over the REST API."""

from flask import Blueprint, Response, current_app, make_response, render_template

from producer.browsers import content_security_policy

pages = Blueprint("pages", __name__)


@pages.get("/")
def checkout() -> str:
    return render_template("checkout.html")


@pages.get("/docs")
def docs() -> Response:
    """The project's own page around Swagger UI, whose stylesheet holds its icons as data: images."""
    page = make_response(render_template("docs.html"))
    page.headers["Content-Security-Policy"] = content_security_policy(images="'self' data:")
    return page


@pages.context_processor
def links() -> dict[str, str]:
    return {"dashboard": current_app.config["CONSUMER_URL"]}

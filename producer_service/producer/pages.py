"""The pages that people see; what they show comes over the REST API."""

from flask import Blueprint, current_app, render_template

pages = Blueprint("pages", __name__)


@pages.get("/")
def checkout() -> str:
    return render_template("checkout.html")


@pages.get("/docs")
def docs() -> str:
    """The project's own page around Swagger UI; it reads /openapi.json and loads nothing from elsewhere."""
    return render_template("docs.html")


@pages.context_processor
def links() -> dict[str, str]:
    return {"dashboard": current_app.config["CONSUMER_URL"]}

"""The checkout page."""

from flask import Blueprint, current_app, render_template

pages = Blueprint("pages", __name__)


@pages.get("/")
def checkout() -> str:
    return render_template("checkout.html", dashboard=current_app.config["CONSUMER_URL"])

"""The page with the figures: rendered with the newest ones, and kept up to date by the stream."""

from datetime import UTC, datetime

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from consumer.services import current_services
from consumer.topic.stats import read_figures

figures = Blueprint("figures", __name__)


@figures.get("/figures")
def page() -> ResponseReturnValue:
    """Render the page; the script puts its times into the reader's zone, and draws."""
    services = current_services()
    _, stats = services.stats.get()
    body = render_template(
        "figures.html",
        position=str(services.ring.position) if services.state() != "starting" else "",
        settings=services.settings,
        figures=read_figures(stats.payload) if stats else None,
        stats=stats.payload.decode() if stats else "",
        now=datetime.now(UTC),
    )
    return body, {"Cache-Control": "no-store"}


@figures.app_template_filter()
def money(amount: str) -> str:
    """Format an amount such as "-1234.50"; it may have more digits than a float."""
    whole, _, cents = amount.partition(".")
    return f"{int(whole):,}.{cents}" if int(whole) or not amount.startswith("-") else amount


@figures.app_template_filter()
def iso(moment: datetime) -> str:
    """Format a time for `datetime` attributes and for scripts."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

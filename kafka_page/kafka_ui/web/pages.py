"""The pages about the cluster and its topics. Each shows what is known and says what is not."""

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue

from kafka_ui.cluster.diagnosis import UNKNOWN, problems
from kafka_ui.services import Services, current_services

pages = Blueprint("pages", __name__)


@pages.app_context_processor
def links() -> dict[str, object]:
    """Return what every template uses."""
    settings = current_services().settings
    return {"settings": settings}


@pages.get("/")
def cluster() -> ResponseReturnValue:
    """Show the brokers, the quorum, and in words what is wrong."""
    services = current_services()
    picture = services.survey.picture()
    return render_template("cluster.html", picture=picture, problems=_problems(services))


@pages.get("/topics")
def topics() -> ResponseReturnValue:
    """Show all topics, the internal ones last."""
    services = current_services()
    picture = services.survey.picture()
    rows = services.overview.rows(picture, sorted(picture.topics, key=lambda topic: topic.is_internal))
    return render_template("topics.html", picture=picture, rows=rows, unknown=UNKNOWN)


@pages.get("/topics/<name>")
def topic(name: str) -> ResponseReturnValue:
    """Show a topic's partitions and its settings."""
    services = current_services()
    picture = services.survey.picture()
    found = picture.topic(name)
    if found is None and picture.is_known:
        abort(404, "There is no such topic.")
    rows = services.overview.rows(picture, [found]) if found else []
    settings = services.overview.settings(name) if found else None
    return render_template(
        "topic.html", name=name, picture=picture, row=rows[0] if rows else None, topic_settings=settings,
        unknown=UNKNOWN,
    )  # fmt: skip


def _problems(services: Services) -> list[str]:
    picture, topic = services.survey.picture(), services.settings.kafka_topic
    min_in_sync = services.overview.min_in_sync(topic) if picture.is_known else None
    return problems(picture, topic, min_in_sync)

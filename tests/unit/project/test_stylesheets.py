"""The services share no code: Kafka UI has a copy of what the checkout's stylesheet begins with."""

from tests.project import ROOT


def test_kafka_ui_has_the_beginning_of_the_checkouts_stylesheet() -> None:
    whole = (ROOT / "producer_service" / "producer" / "static" / "pages.css").read_text()
    shared, found, _ = whole.partition("\n/* Order, its summary, random orders */")
    assert found
    assert (ROOT / "kafka_page" / "kafka_ui" / "static" / "pages.css").read_text() == shared

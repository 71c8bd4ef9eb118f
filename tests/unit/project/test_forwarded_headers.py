import runpy

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser

from tests.project import ROOT

REQUEST = b"GET /stream HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: /x\r\n\r\n"


@pytest.mark.parametrize(
    "service", ["producer_service", "consumer_service", "projector_service", "kafka_page"]
)
def test_client_on_loopback_cannot_say_where_the_application_is_mounted(service: str) -> None:
    """gunicorn trusts loopback, and answers 500 when the path does not begin with SCRIPT_NAME."""
    settings = runpy.run_path(str(ROOT / service / "gunicorn.conf.py"))
    config = Config()
    if "forwarder_headers" in settings:
        config.set("forwarder_headers", settings["forwarder_headers"])
    request = next(RequestParser(config, [REQUEST], ("127.0.0.1", 1)))
    assert request.headers == [("HOST", "localhost")]

import socket

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from kafka_ui.web.connection import gone_check, limit_writes
from tests.eventually import eventually


@pytest.mark.parametrize("is_limited", [False, True])
def test_client_is_gone_once_it_has_closed_its_connection(is_limited: bool) -> None:
    server, client = socket.socketpair()
    with server, client:
        request = Request(EnvironBuilder(environ_overrides={"gunicorn.socket": server}).get_environ())
        if is_limited:
            limit_writes(request)
        is_gone = gone_check(request)
        assert not is_gone()
        client.sendall(b"the beginning of its next request")
        assert not is_gone()
        server.recv(100)
        client.close()
        eventually(is_gone)
    assert is_gone()


def test_without_a_socket_nobody_is_ever_gone() -> None:
    assert not gone_check(Request(EnvironBuilder().get_environ()))()

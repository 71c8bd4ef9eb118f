"""The URLs of the stack, and what they give away to a program that has taken PostgreSQL's port (D2)."""

import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from local_stack.addresses import Addresses


def test_addresses_are_made_of_the_ports_and_the_password() -> None:
    ports = {
        "postgres": 1,
        "kafka-1": 2,
        "kafka-2": 3,
        "kafka-3": 4,
        "producer": 5,
        "consumer": 6,
        "kafka-ui": 7,
        "projector": 8,
    }
    assert Addresses.of(ports, "pw").environment() == {
        "DATABASE_URL": "postgresql://orders:pw@127.0.0.1:1/orders",
        "PGREQUIREAUTH": "scram-sha-256",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:2,127.0.0.1:3,127.0.0.1:4",
        "PRODUCER_URL": "http://127.0.0.1:5",
        "CONSUMER_URL": "http://127.0.0.1:6",
        "PROJECTOR_URL": "http://127.0.0.1:8",
        "KAFKA_UI_URL": "http://127.0.0.1:7",
    }


def test_stack_that_an_older_version_started_lacks_newer_services() -> None:
    """`status` and `stop` must work on it."""
    ports = {"postgres": 1, "kafka-1": 2, "kafka-2": 3, "kafka-3": 4, "producer": 5, "consumer": 6}
    addresses = Addresses.of(ports, "pw")
    assert (addresses.kafka_ui_url, addresses.projector_url) == ("", "")
    assert addresses.more_projector_urls == {}


def impostor(server: socket.socket) -> bytes:
    """Ask a client for its password in clear text, as PostgreSQL could, and return all that it sends then."""
    connection, _ = server.accept()
    with connection:
        connection.settimeout(10)
        while True:
            (length,) = struct.unpack("!I", connection.recv(4, socket.MSG_WAITALL))
            (code,) = struct.unpack("!I", connection.recv(length - 4, socket.MSG_WAITALL)[:4])
            if code == 3 << 16:  # its start; before that it asks for encryption
                break
            connection.sendall(b"N")
        connection.sendall(b"R" + struct.pack("!II", 8, 3))
        sent = b""
        while part := connection.recv(4096):
            sent += part
        return sent


@pytest.mark.parametrize("url", ["owner_url", "role_url"])
def test_password_is_not_sent_to_a_program_that_took_the_port(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "a secret")
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        sent = pool.submit(impostor, server)
        names = ("postgres", "kafka-1", "kafka-2", "kafka-3", "producer", "consumer")
        addresses = Addresses.of(dict.fromkeys(names, server.getsockname()[1]), "a secret")
        address = addresses.owner_url if url == "owner_url" else addresses.role_url("producer")
        with pytest.raises(psycopg2.OperationalError, match="scram-sha-256"):
            psycopg2.connect(address, connect_timeout=10)
        assert sent.result(timeout=20) == b""

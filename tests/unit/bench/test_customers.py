"""The customers of `python -m bench.compare`, against servers that answer, refuse, hang up or are not there."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.compare.account import Change
from bench.compare.customers import Answered, all_at_once, at_rate
from bench.intake import free_port


class Shop(BaseHTTPRequestHandler):
    """Takes every order but each fifth, to which it gives no answer, and each seventh, which it refuses."""

    protocol_version = "HTTP/1.1"
    count = 0
    lock = threading.Lock()

    def do_POST(self) -> None:
        with self.lock:
            Shop.count += 1
            number = Shop.count
        self.rfile.read(int(self.headers["Content-Length"]))
        if number % 5 == 0:
            self.close_connection = True
        elif number % 7 == 0:
            self._answer(503, b"{}")
        else:
            self._answer(201, b'{"id": "order-%d"}' % number)

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, b'{"id": "%s"}' % self.path.rsplit("/", 1)[1].encode())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Shop.count = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(10)


def test_account_of_a_burst(port: int) -> None:
    ledger = all_at_once(port, 70, 8)
    assert ledger.counts == {Answered.ACKNOWLEDGED: 48, Answered.REFUSED: 8, Answered.UNKNOWN: 14}
    assert ledger.acknowledged == {
        Change(f"order-{number}", 1) for number in range(1, 71) if number % 5 and number % 7
    }


def test_some_orders_are_changed_when_they_were_acknowledged(port: int) -> None:
    ledger = at_rate(port, 400, 0.1)
    placed = {change.order_id for change in ledger.acknowledged if change.step == 1}
    changed = {change.order_id for change in ledger.acknowledged if change.step == 2}
    assert len(placed) == 28
    assert changed
    assert changed < placed
    assert ledger.counts[Answered.ACKNOWLEDGED] == len(placed) + len(changed)


def test_where_nobody_listens_all_is_refused() -> None:
    assert at_rate(free_port(), 100, 0.1).counts[Answered.REFUSED] == 10


def test_a_connection_that_the_server_has_closed_is_not_used_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shop, "timeout", 0.02)  # an idle connection is closed after so long
    ledger = at_rate(port, 10, 0.4)
    assert ledger.counts == {Answered.ACKNOWLEDGED: 5, Answered.REFUSED: 0, Answered.UNKNOWN: 0}

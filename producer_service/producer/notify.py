"""NOTIFY: tells the relays that rows are due, so that they need not poll often.

A NOTIFY takes a lock on the whole database when it commits, so it is never part of an order's transaction:
one thread of each process sends one for all commits of the last few milliseconds. A lost one costs the
relay's poll interval and nothing else.
"""

import logging
import select
import threading
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)

CHANNEL = "outbox"
INTERVAL_S = 0.01
LOOK_S = 1.0
RETRY_S = 1.0


class Notifier:
    """Sends at most one NOTIFY in `INTERVAL_S`.

    engine: of its own, made with isolation_level="AUTOCOMMIT".
    """

    def __init__(self, engine: sa.Engine):
        self._engine = engine
        self._wanted = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def notify(self) -> None:
        """After the commit. Does not wait."""
        self._wanted.set()

    def close(self, timeout_s: float) -> None:
        self._stop.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._engine.dispose()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wanted.wait()
            self._wanted.clear()
            try:
                with self._engine.connect() as connection:
                    connection.execute(sa.text(f"NOTIFY {CHANNEL}"))
            except SQLAlchemyError as error:
                logger.warning("no NOTIFY, the relay will find the rows: %s", str(error).splitlines()[0])
            self._stop.wait(INTERVAL_S)


class Listener:
    """Calls `wake` when a NOTIFY has come, and once after every connect: one may have been missed.

    engine: made with isolation_level="AUTOCOMMIT".
    """

    def __init__(self, engine: sa.Engine, wake: Callable[[], None]):
        self._engine, self._wake = engine, wake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except (SQLAlchemyError, OSError) as error:
                logger.warning("not listening, only polling: %s", str(error).splitlines()[0])
                self._stop.wait(RETRY_S)

    def _listen(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(sa.text(f"LISTEN {CHANNEL}"))
            raw = connection.connection.driver_connection
            assert raw is not None
            self._wake()
            try:
                while not self._stop.is_set():
                    if select.select([raw], [], [], LOOK_S)[0]:
                        raw.poll()
                        raw.notifies.clear()
                        self._wake()
            finally:
                connection.detach()  # what listens must not go back to the pool

"""NOTIFY: tells the relays that rows are due, so that they need not poll often.

A NOTIFY takes a lock on the whole database when it commits, so it is never part of an order's transaction:
one thread of each process sends one for all commits of the last few milliseconds. A lost NOTIFY costs the
relay's poll interval and nothing else.
"""

import logging
import threading

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)

CHANNEL = "outbox"
INTERVAL_S = 0.01


class Notifier:
    """A thread that sends at most one NOTIFY in `INTERVAL_S`.

    engine: one of its own, made with isolation_level="AUTOCOMMIT".
    """

    def __init__(self, engine: sa.Engine):
        self._engine = engine
        self._requested = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def notify(self) -> None:
        """Request a NOTIFY without waiting for it. To be called after the commit."""
        self._requested.set()

    def close(self, timeout_s: float) -> None:
        """End the thread, waiting for at most `timeout_s`."""
        self._stop.set()
        self._requested.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._engine.dispose()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._requested.wait()
            self._requested.clear()
            try:
                with self._engine.connect() as connection:
                    connection.execute(sa.text(f"NOTIFY {CHANNEL}"))
            except SQLAlchemyError as error:
                logger.warning(
                    "NOTIFY failed; the relay will find the rows by polling: %s", str(error).splitlines()[0]
                )
            self._stop.wait(INTERVAL_S)

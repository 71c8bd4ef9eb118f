"""LISTEN: wakes the relay when a producer's NOTIFY says that rows are due."""

import logging
import select
import threading
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from producer.publishing.notify import CHANNEL

logger = logging.getLogger(__name__)

LOOK_S = 1.0
RETRY_S = 1.0


class Listener:
    """A thread that calls `wake` for every NOTIFY, and once after each connect: one may have been missed.

    engine: made with isolation_level="AUTOCOMMIT".
    """

    def __init__(self, engine: sa.Engine, wake: Callable[[], None]):
        self._engine, self._wake = engine, wake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End the thread, waiting for at most `timeout_s`."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except (SQLAlchemyError, OSError) as error:
                logger.warning("Not listening, only polling: %s", str(error).splitlines()[0])
                self._stop.wait(RETRY_S)

    def _listen(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(sa.text(f"LISTEN {CHANNEL}"))
            raw = connection.connection.driver_connection
            assert raw is not None
            waiter = select.poll()  # not select(), which fails for descriptors above 1,023
            waiter.register(raw, select.POLLIN)
            self._wake()
            try:
                while not self._stop.is_set():
                    if waiter.poll(LOOK_S * 1000):
                        raw.poll()
                        raw.notifies.clear()
                        self._wake()
            finally:
                connection.detach()  # a connection that listens must not go back to the pool

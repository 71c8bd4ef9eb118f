"""Commits orders at a fixed rate and prints, as JSON, when each event's commit was done (time.time)."""

import json
import sys
import threading
import time
from itertools import count

from producer import create_app
from producer.models import Order
from producer.random_orders import random_draft
from producer.record import transaction

THREADS = 4


def main(rate: int, seconds: int) -> None:
    app, committed, tickets = create_app(), {}, count()
    app.extensions["background"].start()
    pause = threading.Event()
    pause.wait(1.0)  # the first message of an idempotent producer waits for its id
    drafts = [random_draft() for _ in range(100)]
    start = time.monotonic()

    def write() -> None:
        with app.app_context():
            while (number := next(tickets)) < rate * seconds:
                pause.wait(max(0.0, start + number / rate - time.monotonic()))
                handover = app.extensions["publisher"].prepare()
                with transaction():
                    _, (event,) = Order.place([drafts[number % 100]], handover.grace)
                committed[str(event.id)] = time.time()
                handover.publish([event])

    threads = [threading.Thread(target=write) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    app.extensions["background"].stop()
    print(json.dumps(committed))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

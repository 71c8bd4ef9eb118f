"""Commits orders at a fixed rate and prints, as JSON, when each event's commit was done (time.time)."""

import json
import sys
import threading
import time
from itertools import count

from producer.config import Settings
from producer.demo.random_orders import random_draft
from producer.domain.models import Order
from producer.services import create_services

THREADS = 4


def main(rate: int, seconds: int) -> None:
    services, committed, tickets = create_services(Settings()), {}, count()
    services.start()
    pause = threading.Event()
    pause.wait(1.0)  # the first message of an idempotent producer waits for its id
    drafts = [random_draft() for _ in range(100)]
    start = time.monotonic()

    def write() -> None:
        while (number := next(tickets)) < rate * seconds:
            pause.wait(max(0.0, start + number / rate - time.monotonic()))
            permit = services.publisher.request_permit()
            with services.database.transaction():
                _, (event,) = Order.place([drafts[number % 100]], permit.grace)
            committed[str(event.id)] = time.time()
            permit.publish([event])

    threads = [threading.Thread(target=write) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    services.stop()
    print(json.dumps(committed))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

"""Places orders at a fixed rate and prints, as JSON, when each event was committed (seconds, time.time).

python -m bench.writer RATE SECONDS     RATE: orders a second
"""

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
DRAFTS = 100


def main(rate: int, seconds: int) -> None:
    """Place `rate` orders a second for `seconds`, the way that the producer does."""
    services, committed_s, numbers = create_services(Settings()), {}, count()
    services.start()
    pause = threading.Event()
    pause.wait(1.0)  # the first message of an idempotent producer waits for its producer id
    drafts = [random_draft() for _ in range(DRAFTS)]
    start = time.monotonic()

    def place_orders() -> None:
        while (number := next(numbers)) < rate * seconds:
            pause.wait(max(0.0, start + number / rate - time.monotonic()))
            permit = services.publisher.request_permit()
            with services.database.transaction():
                _, (event,) = Order.place([drafts[number % DRAFTS]], permit.grace)
            committed_s[str(event.id)] = time.time()
            permit.publish([event])

    threads = [threading.Thread(target=place_orders) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    services.stop()
    print(json.dumps(committed_s))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

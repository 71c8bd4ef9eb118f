"""Places orders at a fixed rate and prints, as JSON, when each event was committed (seconds, time.time).

python -m bench.writer RATE SECONDS     RATE: orders a second
"""

import json
import sys
import threading
import time
from functools import partial
from itertools import count

from producer.config import Settings
from producer.demo.random_orders import random_draft
from producer.domain.models import Order, Placement
from producer.publishing.publisher import PublishPermit
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

    def commit(placement: Placement, permit: PublishPermit) -> None:
        (event,) = placement.events
        committed_s[str(event.id)] = time.time()
        permit.publish(placement.events)

    def place_orders() -> None:
        while (number := next(numbers)) < rate * seconds:
            pause.wait(max(0.0, start + number / rate - time.monotonic()))
            with services.publisher.request_permit() as permit:
                placement = Order.place([drafts[number % DRAFTS]], permit.grace)
                services.group_commit.store(placement, None, partial(commit, placement, permit))

    threads = [threading.Thread(target=place_orders) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    services.stop()
    print(json.dumps(committed_s))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

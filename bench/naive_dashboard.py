"""The demo's way to show orders, for bench.end_to_end: what people write.

A queue for each client without a bound, JSON made anew for each, and a thread of the web server for each browser.
"""

import json
import os
import queue
import threading
import uuid
from collections.abc import Iterator

from confluent_kafka import Consumer
from flask import Flask, Response

clients: set["queue.Queue[dict[str, object]]"] = set()


def consume() -> None:
    """Read the topic for ever and put each event into every client's queue."""
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "latest",
        }
    )
    consumer.subscribe([os.environ["KAFKA_TOPIC"]])
    while True:
        message = consumer.poll(1.0)
        if message is None or message.error() or (value := message.value()) is None:
            continue
        event = json.loads(value)
        for client in list(clients):
            client.put(event)


def create_app() -> Flask:
    """Return the application."""
    app = Flask(__name__)
    threading.Thread(target=consume, daemon=True).start()

    @app.get("/stream")
    def stream() -> Response:
        client: queue.Queue[dict[str, object]] = queue.Queue()
        clients.add(client)

        def generate() -> Iterator[str]:
            try:
                yield "retry: 1000\n\n"
                while True:
                    yield f"data: {json.dumps(client.get())}\n\n"
            finally:
                clients.discard(client)

        return Response(generate(), mimetype="text/event-stream")

    return app

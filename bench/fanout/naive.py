"""What people write, for gunicorn's gevent worker: a queue without a bound and a greenlet for each viewer, and JSON
made anew for each. The events come over a Unix socket (FEED), a line each."""

import json
import os
import queue
import socket
import threading
from collections.abc import Iterator

from flask import Flask, Response

clients: set["queue.Queue[dict[str, object]]"] = set()


def consume(listener: socket.socket) -> None:
    """Read events for ever and put each into every client's queue."""
    while True:
        source, _ = listener.accept()
        for line in source.makefile("rb"):
            event = json.loads(line)
            for client in list(clients):
                client.put(event)


def create_app() -> Flask:
    """Return the application."""
    app = Flask(__name__)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.environ["FEED"])
    listener.listen()
    threading.Thread(target=consume, args=(listener,), daemon=True).start()

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

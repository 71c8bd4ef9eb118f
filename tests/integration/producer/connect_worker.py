"""A real Kafka Connect with Debezium, as the native stack runs it, for tests that kill it."""

import subprocess
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from local_stack.config import Settings
from local_stack.kafka import connect, jars, java, pins
from tests.eventually import eventually

START_S = 150


class ConnectWorker:
    """The process of one worker, and its REST address."""

    def __init__(self, folder: Path, port: int, brokers: list[str], name: str, secrets: Path) -> None:
        self._folder, self.url = folder, f"http://127.0.0.1:{port}"
        self._opener = build_opener(ProxyHandler({}))
        self._process: subprocess.Popen[bytes] | None = None
        cache = Settings().cache
        class_path = jars.fetch(cache / f"connect-{pins.VERSION}", print, pins.CONNECT)
        plugins = cache / f"debezium-{pins.DEBEZIUM_VERSION}"
        jars.fetch(plugins / "debezium-connector-postgres", print, pins.DEBEZIUM)
        connect.write_configuration(folder, plugins, connect.Worker(port, brokers, secrets, name))
        self._command = connect.command(java.find(Settings().java_home, print), class_path)

    def start(self) -> None:
        with (self._folder / "out.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self._folder, stdout=log, stderr=log)

    def is_up(self) -> bool:
        with self._opener.open(f"{self.url}/health", timeout=5) as reply:
            return bool(reply.status == 200)

    def wait(self) -> None:
        eventually(self.is_up, within=START_S, not_yet=OSError)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def delete(self, connector: str) -> None:
        request = Request(f"{self.url}/connectors/{connector}", method="DELETE")
        self._opener.open(request, timeout=10).close()

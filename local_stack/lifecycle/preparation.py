"""All that must be in place before a service's process can start."""

import json
from collections.abc import Callable, Set
from dataclasses import dataclass

from local_stack import ports, postgres, services
from local_stack.config import Settings
from local_stack.kafka import broker, cds_archive, jars, java
from local_stack.paths import Paths, write_private
from local_stack.ports import BROKERS
from local_stack.services import Addresses, Service
from local_stack.supervisord import configuration, processes


@dataclass(frozen=True)
class Preparation:
    paths: Paths
    settings: Settings
    say: Callable[[str], None]

    def of(self, starting: Set[str], running: Set[str]) -> Addresses:
        fixed = {"producer": self.settings.producer_port, "consumer": self.settings.consumer_port}
        numbers = ports.assign(ports.kept(self.paths.ports), fixed, starting, running)
        write_private(self.paths.ports, json.dumps(numbers))
        addresses = Addresses.of(numbers, postgres.password(self.paths))
        if "postgres" in starting:
            self._postgres(numbers["postgres"])
        if starting & set(BROKERS):
            self._kafka(numbers, starting)
        for app in services.apps(self.paths, addresses, self.settings.kafka_topic):
            if app.name in starting:
                self._write(app)
        if "relay" in starting:
            self.paths.heartbeat.unlink(missing_ok=True)  # the last run's
        return addresses

    def _postgres(self, port: int) -> None:
        if not self.paths.postgres.exists():
            self.say("creating the database")
        postgres.create(self.paths)
        postgres.configure(self.paths, port, self.settings.postgres_fsync)
        postgres.forget_dead_postmaster(self.paths)
        self._write(services.database(self.paths))

    def _kafka(self, numbers: dict[str, int], starting: Set[str]) -> None:
        cache = self.settings.cache
        files = jars.fetch(cache / f"kafka-{broker.VERSION}", self.say)
        runtime = java.find(self.settings.java_home, self.say)
        command = broker.command(runtime, files, cds_archive.options(cache, runtime, files, self.say))
        cluster_id = broker.kept_cluster_id(self.paths.kafka / "cluster.id")
        brokers = [numbers[name] for name in ports.BROKERS]
        controllers = [numbers[name] for name in ports.CONTROLLERS]
        for node_id, name in enumerate(BROKERS, 1):
            if name in starting:
                folder = self.paths.kafka / name
                broker.configure(folder, cluster_id, broker.Node(node_id, brokers, controllers))
                self._write(Service(name, command, folder))

    def _write(self, service: Service) -> None:
        text = configuration.script(service, processes.mark(self.paths, service.name))
        write_private(self.paths.run / f"{service.name}.sh", text)

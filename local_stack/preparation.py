"""All that must be in place before a service's process can start."""

import json
from collections.abc import Callable, Set
from dataclasses import dataclass

from local_stack import class_archive, jars, java, kafka, ports, postgres, processes, programs, services
from local_stack.config import Settings
from local_stack.layout import Layout, write_private
from local_stack.ports import BROKERS
from local_stack.services import Addresses, Service


@dataclass(frozen=True)
class Preparation:
    layout: Layout
    settings: Settings
    say: Callable[[str], None]

    def of(self, starting: Set[str], running: Set[str]) -> Addresses:
        fixed = {"producer": self.settings.producer_port, "consumer": self.settings.consumer_port}
        numbers = ports.assign(ports.kept(self.layout.ports), fixed, starting, running)
        write_private(self.layout.ports, json.dumps(numbers))
        addresses = Addresses.of(numbers, postgres.password(self.layout))
        if "postgres" in starting:
            self._postgres(numbers["postgres"])
        if starting & set(BROKERS):
            self._kafka(numbers, starting)
        for app in services.apps(self.layout, addresses, self.settings.kafka_topic):
            if app.name in starting:
                self._write(app)
        if "relay" in starting:
            self.layout.heartbeat.unlink(missing_ok=True)  # the last run's
        return addresses

    def _postgres(self, port: int) -> None:
        if not self.layout.postgres.exists():
            self.say("creating the database")
        postgres.create(self.layout)
        postgres.configure(self.layout, port, self.settings.postgres_fsync)
        postgres.forget_dead_postmaster(self.layout)
        self._write(services.database(self.layout))

    def _kafka(self, numbers: dict[str, int], starting: Set[str]) -> None:
        cache = self.settings.cache
        files = jars.fetch(cache / f"kafka-{kafka.VERSION}", self.say)
        runtime = java.find(self.settings.java_home, self.say)
        command = kafka.command(runtime, files, class_archive.options(cache, runtime, files, self.say))
        cluster_id = kafka.kept_cluster_id(self.layout.kafka / "cluster.id")
        brokers = [numbers[name] for name in ports.BROKERS]
        controllers = [numbers[name] for name in ports.CONTROLLERS]
        for node_id, name in enumerate(BROKERS, 1):
            if name in starting:
                folder = self.layout.kafka / name
                kafka.configure(folder, cluster_id, kafka.Node(node_id, brokers, controllers))
                self._write(Service(name, command, folder))

    def _write(self, service: Service) -> None:
        text = programs.script(service, processes.mark(self.layout, service.name))
        write_private(self.layout.run / f"{service.name}.sh", text)

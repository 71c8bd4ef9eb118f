"""Write everything that must be in place before a service can start."""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from local_stack import passwords, ports, postgres
from local_stack.addresses import Addresses
from local_stack.config import Settings
from local_stack.errors import StackError
from local_stack.kafka import broker, cds_archive, connect, jars, java, pins, zookeeper, zookeeper_broker
from local_stack.lifecycle.programs import app_programs, postgres_program
from local_stack.paths import Paths, write_private
from local_stack.services import BROKERS, CONNECT, CONNECTOR, POSTGRES, RELAY, ZOOKEEPERS
from local_stack.supervisord import processes
from local_stack.supervisord.configuration import Program, render_script

# A comma ends a path in Kafka's settings, the others end the name of a password's file in them.
UNNAMEABLE = ",:}"


@dataclass(frozen=True)
class Preparation:
    """The files of the services that are about to start."""

    paths: Paths
    settings: Settings
    say: Callable[[str], None]

    def run(self, starting: Set[str], running: Set[str]) -> Addresses:
        """Assign all ports and write the files of the starting services. Return the addresses of all."""
        last = ports.load(self.paths.ports)
        numbers = ports.assign(last, self.settings.web_ports(last), starting, running)
        write_private(self.paths.ports, json.dumps(numbers))
        addresses = Addresses.of(numbers, passwords.load_or_create_owner_password(self.paths))
        passwords.create_role_passwords(self.paths, postgres.DATABASE)
        if POSTGRES in starting:
            self._prepare_postgres(numbers[POSTGRES])
        if starting & {*BROKERS, *ZOOKEEPERS} and self.settings.kafka_metadata == "zookeeper":
            self._prepare_zookeeper(numbers, addresses, starting)
        elif starting & set(BROKERS):
            self._prepare_brokers(numbers, starting)
        if CONNECT in starting:
            self._prepare_connect(numbers[CONNECT], [addresses.brokers[name] for name in BROKERS])
        for app in app_programs(self.paths, addresses, self.settings):
            if app.name in starting:
                self._write_script(app)
        if RELAY in starting:
            self.paths.heartbeat.unlink(missing_ok=True)  # that of its last run
        if CONNECTOR in starting:
            self.paths.connector_heartbeat.unlink(missing_ok=True)
        return addresses

    def _prepare_postgres(self, port: int) -> None:
        if not self.paths.postgres.exists():
            self.say("creating the database")
        postgres.create_cluster(self.paths)
        postgres.write_configuration(self.paths, port, self.settings.postgres_fsync)
        postgres.remove_stale_pid_file(self.paths)
        self._write_script(postgres_program(self.paths))

    def _prepare_brokers(self, numbers: Mapping[str, int], starting: Set[str]) -> None:
        cache = self.settings.cache
        class_path = jars.fetch(cache / f"kafka-{pins.VERSION}", self.say)
        runtime = java.find(self.settings.java_home, self.say)
        jvm_options = cds_archive.jvm_options(cache, runtime, class_path, self.say)
        command = broker.command(runtime, class_path, jvm_options)
        cluster_id = broker.load_or_create_cluster_id(self.paths.kafka / "cluster.id")
        broker_ports = [numbers[name] for name in BROKERS]
        controller_ports = [numbers[name] for name in ports.CONTROLLERS]
        for node_id, name in enumerate(BROKERS, 1):
            if name in starting:
                folder = self.paths.kafka / name
                node = broker.Node(node_id, broker_ports, controller_ports)
                broker.write_configuration(folder, cluster_id, node)
                self._write_script(Program(name, command, folder))

    def _prepare_zookeeper(
        self, numbers: Mapping[str, int], addresses: Addresses, starting: Set[str]
    ) -> None:
        """Get the jars of Kafka 3.9 and its ZooKeeper, which nobody else needs, and write the files of both."""
        class_path = jars.fetch(
            self.settings.cache / f"kafka-{pins.ZOOKEEPER_VERSION}", self.say, pins.ZOOKEEPER
        )
        runtime = java.find(self.settings.java_home, self.say)
        broker_ports = [numbers[name] for name in BROKERS]
        ensemble = [
            [numbers[f"{name}{suffix}"] for name in ZOOKEEPERS]
            for suffix in ("", ports.PEER_SUFFIX, ports.ELECTION_SUFFIX)
        ]
        for number, name in enumerate(ZOOKEEPERS, 1):
            if name in starting:
                folder = self.paths.kafka_zookeeper / name
                zookeeper.write_configuration(folder, zookeeper.Server(number, *ensemble))
                self._write_script(Program(name, zookeeper.command(runtime, class_path), folder))
        for number, name in enumerate(BROKERS, 1):
            if name in starting:
                folder = self.paths.kafka_zookeeper / name
                member = zookeeper_broker.Broker(number, broker_ports, list(addresses.zookeepers.values()))
                zookeeper_broker.write_configuration(folder, member)
                self._write_script(Program(name, zookeeper_broker.command(runtime, class_path), folder))

    def _prepare_connect(self, port: int, brokers: Sequence[str]) -> None:
        """Get the jars of Connect and Debezium, which nobody else needs, and write the worker's files."""
        cache, folder = self.settings.cache, self.paths.kafka / CONNECT
        secrets = passwords.connect_password(self.paths).parent
        if found := set(str(secrets)) & set(UNNAMEABLE):
            raise StackError(
                f"PUBLISHER=debezium needs a folder without {min(found)} in its path:"
                " Kafka Connect's settings cannot name it."
            )
        class_path = jars.fetch(cache / f"connect-{pins.VERSION}", self.say, pins.CONNECT)
        plugins = cache / f"debezium-{pins.DEBEZIUM_VERSION}"
        jars.fetch(plugins / "debezium-connector-postgres", self.say, pins.DEBEZIUM)
        connect.write_configuration(folder, plugins, connect.Worker(port, brokers, secrets))
        runtime = java.find(self.settings.java_home, self.say)
        self._write_script(Program(CONNECT, connect.command(runtime, class_path), folder))

    def _write_script(self, program: Program) -> None:
        text = render_script(program, processes.tags(self.paths, program.name))
        write_private(self.paths.run / f"{program.name}.sh", text)

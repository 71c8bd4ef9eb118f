"""How fast orders are taken: `python -m bench.intake`, ours beside the demo's way, in turn in one run.

Each variant runs under gunicorn on the same PostgreSQL and the same three brokers; ours with its relay. A load process
keeps N connections busy (closed loop: each sends its next order when the last is answered, so the latencies are those
of N clients that wait, not of an offered rate). CPU is that of the producer, PostgreSQL and the brokers, by order. Each
figure is the median of the rounds, with its range. The ratios within a run are the result.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka.admin import AdminClient

from bench.figures import Figure, median, percentile, plot_bars
from bench.load import post, run_in_process
from bench.publish import ROOT, running_relay, running_stores, wait_until
from producer.config import Settings
from producer.publishing import topics
from producer.publishing.kafka import admin_settings

VARIANTS = ("naive", "ours")
BODY = json.dumps(
    {"customer_name": "Ada", "item": "Basic Tee", "unit_price": "32.00", "quantity": 2}
).encode()
THREADS = 16


@dataclass(frozen=True)
class Result:
    """One round of one variant at one number of connections. CPU in ms per order."""

    orders_per_s: float
    p50_ms: float
    p99_ms: float
    app_cpu_ms: float
    postgres_cpu_ms: float
    brokers_cpu_ms: float


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def cpu_s(processes: list[psutil.Process]) -> float:
    """Return the CPU time of processes and of all their children, also of those that have ended, in seconds."""
    total = 0.0
    for process in processes:
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            total += times.user + times.system
    return total


def stores_of(settings: Settings) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Return PostgreSQL's server and the brokers, by the ports that they listen on."""
    wanted = {settings.sqlalchemy_url.port: "postgres"}
    wanted |= {
        int(address.rsplit(":", 1)[1]): "kafka" for address in settings.kafka_bootstrap_servers.split(",")
    }
    found: dict[str, list[psutil.Process]] = {"postgres": [], "kafka": []}
    for connection in psutil.net_connections("tcp"):
        port = connection.laddr.port if connection.laddr else None
        if connection.status == psutil.CONN_LISTEN and port in wanted and connection.pid:
            found[wanted[port]].append(psutil.Process(connection.pid))
    return found["postgres"], found["kafka"]


@contextmanager
def running_shop(variant: str, environment: dict[str, str]) -> Iterator[tuple[psutil.Process, int]]:
    """Start a variant under gunicorn, and stop it at the end."""
    port = free_port()
    application = "bench.naive_shop:create_app()" if variant == "naive" else "producer:create_app()"
    own = ["--config", str(ROOT / "producer_service" / "gunicorn.conf.py")] if variant == "ours" else [
        "--worker-class", "gthread", "--threads", str(THREADS), "--no-control-socket"
    ]  # fmt: skip
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *own, application]
    shop = psutil.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(port), 30)
        yield shop, port
    finally:
        shop.terminate()
        shop.wait(30)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment of every program that is measured."""
    return os.environ | {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'producer_service'}:{ROOT / 'consumer_service'}",
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TOPIC": settings.kafka_topic,
        "RELAY_HEARTBEAT_FILE": f"{tempfile.gettempdir()}/{settings.kafka_topic}.heartbeat",
    }


def measure(variant: str, base: Settings, connections: int, seconds: float) -> Result:
    """Measure one variant once, on a topic of its own, after a second of warming up."""
    settings = base.model_copy(update={"kafka_topic": f"bench-{uuid.uuid4().hex[:8]}"})
    topics.ensure(AdminClient(admin_settings(settings)), settings)
    environment = environment_of(settings)
    postgres, brokers = stores_of(settings)
    with ExitStack() as running:
        shop, port = running.enter_context(running_shop(variant, environment))
        app = [shop]
        if variant == "ours":
            app.append(running.enter_context(running_relay("relay", environment)))
        _load_once(port, connections, 1.0)
        before = [cpu_s(group) for group in (app, postgres, brokers)]
        latencies = sorted(_load_once(port, connections, seconds))
        used = [cpu_s(group) - start for group, start in zip((app, postgres, brokers), before, strict=True)]
    count = len(latencies)
    app_ms, postgres_ms, brokers_ms = (each / count * 1000 for each in used)
    p50, p99 = percentile(latencies, 50), percentile(latencies, 99)
    return Result(count / seconds, p50, p99, app_ms, postgres_ms, brokers_ms)


def _load_once(port: int, connections: int, seconds: float) -> list[float]:
    return run_in_process(port, post("/orders", BODY, port), connections, seconds)


def main() -> None:
    """Measure both variants at each number of connections, in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python -m bench.intake",
    )
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64], help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=5, help="length of one measurement (%(default)s)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS, help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--plot", type=Path, help="a PNG of the orders per second")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    print(
        "| Connections | Way | orders/s | p50, ms | p99, ms | CPU of app | of PostgreSQL | of brokers, ms/order |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with running_stores() as settings:
        for connections in arguments.connections:
            rounds: dict[str, list[Result]] = {variant: [] for variant in arguments.variants}
            for _ in range(arguments.rounds):
                for variant in arguments.variants:
                    rounds[variant].append(measure(variant, settings, connections, arguments.seconds))
            for variant, results in rounds.items():
                columns = [median([vars(each)[name] for each in results]) for name in vars(results[0])]
                print(f"| {connections} | {variant} | {' | '.join(map(str, columns))} |", flush=True)
                figures.append(
                    Figure(f"{connections} connection{'s' * (connections > 1)}", variant, columns[0])
                )
    if arguments.plot:
        plot_bars(figures, "Orders taken per second", arguments.plot)


if __name__ == "__main__":
    main()

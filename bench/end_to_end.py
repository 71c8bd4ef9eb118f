"""From POST to the browser: `python -m bench.end_to_end`, ours beside the demo's way, in turn in one run.

Each load places orders at a fixed rate and shows them to a number of browsers. The latency of an event counts from the
moment its order was due, whatever the server did meanwhile. Both ways run under gunicorn on the same PostgreSQL and the
same three brokers. Each figure is the median of the rounds, with its range. The ratios within a run are the result.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from confluent_kafka.admin import AdminClient

from bench.figures import Figure, median, percentile, plot_bars
from bench.intake import cpu_s, environment_of, free_port, is_listening, running_shop
from bench.load import post, run_in_process
from bench.publish import ROOT, running_relay, running_stores, wait_until
from bench.viewers import Audience
from producer.config import Settings
from producer.publishing import topics
from producer.publishing.kafka import admin_settings

VARIANTS = ("naive", "ours")
CONNECTIONS = 32
SETTLE_S = 1.0
WARM_UP_S = 60.0
BATCH = 50


@dataclass(frozen=True)
class Load:
    """rate: orders a second in all. batch: how many of them are in one request.

    is_beyond_the_demo: it has no batches, and takes 300 to 400 orders a second here (bench.intake).
    """

    rate: int
    browsers: int
    batch: int = 1
    is_beyond_the_demo: bool = False

    def __str__(self) -> str:
        return f"{self.rate}/s x {self.browsers}" + (f" (batches of {self.batch})" if self.batch > 1 else "")


LOADS = (
    Load(20, 1),
    Load(200, 100),
    Load(1000, 1000, is_beyond_the_demo=True),
    Load(1000, 100, BATCH, is_beyond_the_demo=True),
)


@dataclass(frozen=True)
class Result:
    """One round. Latencies in ms; CPU in cores, of all processes of the variant; missing: events that did not come."""

    post_p50: float
    post_p99: float
    shown_p50: float
    shown_p99: float
    missing: float
    cpu_cores: float


def order_due(moment: float) -> dict[str, object]:
    """Return an order that says when it was due."""
    return {
        "customer_name": "Ada",
        "item": "Basic Tee",
        "description": f"due {moment:.6f}",
        "unit_price": "32.00",
        "quantity": 2,
    }


def single(port: int, moment: float) -> bytes:
    """Return the request for one order."""
    return post("/orders", json.dumps(order_due(moment)).encode(), port)


def batch(port: int, moment: float) -> bytes:
    """Return the request for BATCH orders."""
    return post("/orders/batch", json.dumps({"orders": [order_due(moment)] * BATCH}).encode(), port)


@contextmanager
def running_dashboard(
    variant: str, environment: dict[str, str], browsers: int
) -> Iterator[tuple[psutil.Process, int]]:
    """Start a variant's consumer under gunicorn, and stop it at the end."""
    port = free_port()
    if variant == "naive":
        threads = str(browsers + 8)
        options = ["--worker-class", "gthread", "--threads", threads, "--worker-connections", "5000"]
        application = [*options, "--no-control-socket", "bench.naive_dashboard:create_app()"]
    else:
        config = ROOT / "consumer_service" / "gunicorn.conf.py"
        application = ["--config", str(config), "consumer:create_app()"]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *application]
    dashboard = psutil.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(port), 30)
        yield dashboard, port
    finally:
        dashboard.terminate()
        try:
            dashboard.wait(15)
        except psutil.TimeoutExpired:  # the demo's threads wait for their browsers
            for process in (*dashboard.children(), dashboard):
                process.kill()


def measure(variant: str, base: Settings, load: Load, seconds: float) -> Result:
    """Measure one variant once under one load, on a topic of its own, after some orders to warm up."""
    settings = base.model_copy(update={"kafka_topic": f"bench-{uuid.uuid4().hex[:8]}"})
    topics.ensure(AdminClient(admin_settings(settings)), settings)
    environment = environment_of(settings)
    pause = threading.Event()
    with ExitStack() as running:
        shop, shop_port = running.enter_context(running_shop(variant, environment))
        dashboard, port = running.enter_context(running_dashboard(variant, environment, load.browsers))
        processes = [shop, dashboard]
        if variant == "ours":
            processes.append(running.enter_context(running_relay("relay", environment)))
        make: Callable[[float], bytes] = partial(single if load.batch == 1 else batch, shop_port)
        offer = partial(run_in_process, shop_port, make, CONNECTIONS)
        wait_until(lambda: _is_shown(port, partial(offer, 1.0, load.rate / load.batch / 2)), WARM_UP_S)
        viewers = Audience(port, load.browsers)
        pause.wait(SETTLE_S)
        before, begun = cpu_s(processes), time.monotonic()
        posts = sorted(offer(seconds, load.rate / load.batch))
        cores = (cpu_s(processes) - before) / (time.monotonic() - begun)
        pause.wait(2 * SETTLE_S)
        seen = viewers.leave()
    expected = len(posts) * load.batch * load.browsers
    shown = sorted(seen.latencies_ms)
    return Result(
        percentile(posts, 50), percentile(posts, 99), percentile(shown, 50), percentile(shown, 99),
        max(0, expected - seen.events) / expected * 100, cores,
    )  # fmt: skip


def _is_shown(port: int, offer: Callable[[], object]) -> bool:
    """Place some orders; return whether a browser was shown any: the demo's consumer joins its group first."""
    viewer = Audience(port, 1)
    offer()
    return viewer.leave().events > 0


def main() -> None:
    """Measure both variants under each load, in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python -m bench.end_to_end",
    )
    parser.add_argument("--seconds", type=float, default=8, help="length of one measurement (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--loads", type=int, nargs="+", default=range(len(LOADS)), help="which, from 0 (all)")
    parser.add_argument("--plot", type=Path, help="a PNG of the latencies")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    print("| Load | Way | POST p50, ms | p99 | shown p50, ms | p99 | missing, % | CPU, cores |")
    print("|---|---|---|---|---|---|---|---|")
    with running_stores() as settings:
        for load in (LOADS[number] for number in arguments.loads):
            variants = VARIANTS[load.is_beyond_the_demo :]
            rounds: dict[str, list[Result]] = {variant: [] for variant in variants}
            for _ in range(arguments.rounds):
                for variant in variants:
                    rounds[variant].append(measure(variant, settings, load, arguments.seconds))
            for variant, results in rounds.items():
                columns = [median([vars(each)[name] for each in results]) for name in vars(results[0])]
                print(f"| {load} | {variant} | {' | '.join(map(str, columns))} |", flush=True)
                figures.append(Figure(str(load), variant, columns[3]))
    if arguments.plot:
        plot_bars(figures, "POST to browser, p99 in ms", arguments.plot, "log")


if __name__ == "__main__":
    main()

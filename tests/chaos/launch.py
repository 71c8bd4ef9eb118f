"""`python -m local_stack` with the proxies of links.py between all processes: PROXY_PORTS has their ports as JSON.

Everybody is told the proxies' ports: the apps in their addresses, brokers and clients by the brokers' advertised
listeners, controllers in the list of voters, and ZooKeepers to the brokers.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

from local_stack import ports
from local_stack.__main__ import parser, run
from local_stack.addresses import Addresses
from local_stack.console import exit_code
from local_stack.kafka import zookeeper_broker
from local_stack.kafka.broker import Node
from local_stack.services import BROKERS, POSTGRES, ZOOKEEPERS

VARIABLE = "PROXY_PORTS"
# As they are, also where another stack's proxies are in place already.
addresses_of, properties_of = Addresses.of, Node.properties
properties_with_zookeeper = zookeeper_broker.Broker.properties
PROXIED_STORES = (POSTGRES, *BROKERS, *ports.CONTROLLERS)


@contextmanager
def proxied(proxies: Mapping[str, int]) -> Iterator[None]:
    """Within the block, addresses lead through the proxies, and brokers are configured so."""

    def of(numbers: Mapping[str, int], password: str) -> Addresses:
        stores = {name: port for name, port in proxies.items() if name in (POSTGRES, *BROKERS)}
        return addresses_of({**numbers, **stores}, password)

    def properties(node: Node) -> dict[str, str]:
        name = BROKERS[node.node_id - 1]
        own, controller = proxies[name], proxies[f"{name}{ports.CONTROLLER_SUFFIX}"]
        voters = (f"{i}@127.0.0.1:{proxies[each]}" for i, each in enumerate(ports.CONTROLLERS, 1))
        return properties_of(node) | {
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{own},CONTROLLER://127.0.0.1:{controller}",
            "controller.quorum.voters": ",".join(voters),
        }

    def with_zookeeper(broker: zookeeper_broker.Broker) -> dict[str, str]:
        own = proxies[BROKERS[broker.broker_id - 1]]
        return properties_with_zookeeper(broker) | {
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{own}",
            "zookeeper.connect": ",".join(f"127.0.0.1:{proxies[each]}" for each in ZOOKEEPERS),
        }

    with (
        patch.object(Addresses, "of", of),
        patch.object(Node, "properties", properties),
        patch.object(zookeeper_broker.Broker, "properties", with_zookeeper),
    ):
        yield


if __name__ == "__main__":
    with proxied(json.loads(os.environ[VARIABLE])):
        sys.exit(exit_code(lambda: run(parser().parse_args())))

from local_stack.addresses import Addresses


def test_addresses_are_made_of_the_ports_and_the_password() -> None:
    ports = {"postgres": 1, "kafka-1": 2, "kafka-2": 3, "kafka-3": 4, "producer": 5, "consumer": 6}
    assert Addresses.of(ports, "pw").environment() == {
        "DATABASE_URL": "postgresql://orders:pw@127.0.0.1:1/orders",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:2,127.0.0.1:3,127.0.0.1:4",
        "PRODUCER_URL": "http://127.0.0.1:5",
        "CONSUMER_URL": "http://127.0.0.1:6",
    }

import pytest

from producer.relay.partitioner import murmur2, partition_of

# From Kafka's own UtilsTest.testMurmur2 (signed there).
KAFKA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), KAFKA.items())
def test_murmur2_is_that_of_kafka(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("order", "partition"),
    [
        ("cd613e30-d8f1-4adf-91b7-584a2265b1f5", 0),
        ("1e2feb89-414c-443c-9027-c4d1c386bbc4", 5),  # the hashes of these four are negative in Java
        ("78e51061-7311-48a3-82ce-6f447ed4d57b", 4),
        ("35bf992d-c9e9-4616-a12e-7696a6cecc1b", 1),
        ("b2221a58-008a-45a6-8464-7159c324c985", 2),
        ("9b810e76-6ec9-4286-a3ca-828dd5f4b3b2", 3),
    ],
)
def test_partition_of_an_order_is_that_of_kafkas_clients(order: str, partition: int) -> None:
    assert partition_of(order, 6) == partition
    assert partition_of(order, 1) == 0

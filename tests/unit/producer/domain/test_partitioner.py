import pytest

from producer.domain.partitioner import murmur2, partition_of

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
        ("afbd67f9-6196-49cf-a198-8ad9f06c144a", 1),
        ("1e2feb89-414c-443c-9027-c4d1c386bbc4", 3),  # the hashes of these four are negative in Java
        ("78e51061-7311-48a3-82ce-6f447ed4d57b", 2),
        ("35bf992d-c9e9-4616-a12e-7696a6cecc1b", 5),
        ("b2221a58-008a-45a6-8464-7159c324c985", 0),
        ("e4b06ce6-0741-47a8-bce4-2c8218072e8c", 4),
    ],
)
def test_partition_of_an_order_is_that_of_kafkas_clients(order: str, partition: int) -> None:
    assert partition_of(order, 6) == partition
    assert partition_of(order, 1) == 0

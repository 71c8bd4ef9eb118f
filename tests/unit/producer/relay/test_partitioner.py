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


def test_partition_of_an_order_depends_on_nothing_but_its_id() -> None:
    order = "01939b1e-6b1c-7c3a-8b1e-0123456789ab"
    assert partition_of(order, 6) == (murmur2(order.encode()) & 0x7FFFFFFF) % 6
    assert partition_of(order, 1) == 0

"""Which partition an order's events are in: Kafka's own partitioner, as librdkafka's `murmur2_random` computes it."""

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def partition_of(order_id: str, partitions: int) -> int:
    """Return the partition of the order's key in a topic with so many partitions."""
    return key_hash(order_id) % partitions


def key_hash(order_id: str) -> int:
    """Return what the number of partitions divides: the remainder is the partition."""
    return murmur2(order_id.encode()) & 0x7FFFFFFF


def murmur2(key: bytes) -> int:
    """Return the 32-bit hash of Kafka's Utils.murmur2, unsigned."""
    hashed = _SEED ^ len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * _M & _MASK
        word = (word ^ word >> 24) * _M & _MASK
        hashed = hashed * _M & _MASK ^ word
    if rest := key[whole:]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _M & _MASK
    hashed = (hashed ^ hashed >> 13) * _M & _MASK
    return hashed ^ hashed >> 15

"""What confluent_kafka does not offer but librdkafka does: its test hooks, and reading settings back."""

import ctypes
import os
from functools import cache
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, Producer

# The client's handle is the first field of confluent_kafka's C object, after Python's own header.
_HANDLE_AT = object.__basicsize__


@cache
def _library() -> ctypes.CDLL:
    """The same copy of librdkafka that confluent_kafka uses; it is inside the wheel."""
    package = Path(os.path.dirname(confluent_kafka.__file__))
    found = [*package.parent.glob("confluent_kafka.libs/librdkafka*"), *package.glob(".dylibs/librdkafka*")]
    if not found:
        pytest.skip("this build of confluent_kafka has its librdkafka elsewhere")
    library = ctypes.CDLL(str(found[0]))
    handle, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t)
    library.rd_kafka_test_fatal_error.argtypes = [handle, ctypes.c_int, text]
    library.rd_kafka_conf.restype = handle
    library.rd_kafka_conf.argtypes = [handle]
    library.rd_kafka_conf_get.argtypes = [handle, text, text, size]
    library.rd_kafka_default_topic_conf_dup.restype = handle
    library.rd_kafka_default_topic_conf_dup.argtypes = [handle]
    library.rd_kafka_topic_conf_get.argtypes = [handle, text, text, size]
    library.rd_kafka_topic_conf_destroy.argtypes = [handle]
    return library


def _handle(client: object) -> int | None:
    return ctypes.c_void_p.from_address(id(client) + _HANDLE_AT).value


def fail_for_good(producer: Producer) -> None:
    """Raise a fatal error in the client, as a broker that fences an idempotent producer does."""
    _library().rd_kafka_test_fatal_error(
        _handle(producer), KafkaError.INVALID_PRODUCER_EPOCH, b"injected by the test"
    )


def setting(client: object, name: str) -> str:
    """Return a setting as the running client has it."""
    library, value, size = _library(), ctypes.create_string_buffer(512), ctypes.c_size_t(512)
    if library.rd_kafka_conf_get(
        library.rd_kafka_conf(_handle(client)), name.encode(), value, ctypes.byref(size)
    ):
        topic = library.rd_kafka_default_topic_conf_dup(_handle(client))
        unknown = library.rd_kafka_topic_conf_get(topic, name.encode(), value, ctypes.byref(size))
        library.rd_kafka_topic_conf_destroy(topic)
        assert not unknown, f"librdkafka has no setting {name}"
    return value.value.decode()

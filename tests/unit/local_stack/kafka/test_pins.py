import re

from local_stack.kafka.pins import Pin, load


def test_pin_names_its_jar_and_the_path_in_the_repository() -> None:
    pin = Pin.parse("org.apache.kafka:kafka-clients:4.3.1 sha256:abc")
    assert pin.file_name == "kafka-clients-4.3.1.jar"
    assert pin.repository_path == "org/apache/kafka/kafka-clients/4.3.1/kafka-clients-4.3.1.jar"
    assert pin.sha256 == "abc"


def test_every_jar_is_pinned_once_with_its_checksum() -> None:
    every = load()
    assert len({pin.file_name for pin in every}) == len(every) == 46
    assert all(re.fullmatch("[0-9a-f]{64}", pin.sha256) for pin in every)

from pathlib import Path

from local_stack.kafka.java import Java


def test_major_version_of_a_java_is_read_from_old_and_new_formats() -> None:
    assert Java(Path(), "17.0.15", "").major == 17
    assert Java(Path(), "25-ea", "").major == 25
    assert Java(Path(), "1.8.0_402", "").major == 1

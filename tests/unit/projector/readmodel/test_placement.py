from projector.readmodel.placement import Log, Position, place

STORED = Position("topic-1", 50, skipped=3, recreated=1)


def test_goes_on_where_the_table_says() -> None:
    assert place(STORED, "topic-1", Log(0, 100)) == STORED
    assert place(STORED, "topic-1", Log(50, 50)) == STORED


def test_partition_that_was_never_read_begins_with_what_there_is() -> None:
    assert place(None, "topic-1", Log(0, 100)) == Position("topic-1", 0)
    assert place(None, "topic-1", Log(7, 100)) == Position("topic-1", 7, skipped=7)


def test_what_retention_has_taken_is_counted_as_skipped() -> None:
    assert place(STORED, "topic-1", Log(60, 100)) == Position("topic-1", 60, skipped=13, recreated=1)


def test_topic_created_again_is_read_from_its_beginning_even_at_a_possible_offset() -> None:
    assert place(STORED, "topic-2", Log(0, 100)) == Position("topic-2", 0, skipped=3, recreated=2)


def test_log_that_has_become_shorter_is_read_from_its_end() -> None:
    assert place(STORED, "topic-1", Log(0, 40)) == Position("topic-1", 40, skipped=3, recreated=1)

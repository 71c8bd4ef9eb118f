from producer.domain.status import TARGETS, TRANSITIONS, InvalidTransition, Status


def test_every_status_has_an_entry_in_the_transitions() -> None:
    assert list(TRANSITIONS) == list(Status)


def test_every_status_is_reached_from_placed_by_transitions() -> None:
    reached = {Status.PLACED}
    while new := {target for status in reached for target in TRANSITIONS[status]} - reached:
        reached |= new
    assert reached == set(Status)


def test_targets_are_the_statuses_that_a_transition_leads_to() -> None:
    assert tuple(status for status in Status if status is not Status.PLACED) == TARGETS


def test_invalid_transition_names_both_statuses() -> None:
    error = InvalidTransition(Status.SHIPPED, Status.CANCELLED)
    assert str(error) == "An order that is shipped cannot become cancelled."

"""`./start_project.sh scale` without Docker: the projector only."""

import pytest

from local_stack.__main__ import parser, read_projectors
from local_stack.config import Settings
from local_stack.errors import StackError


def test_number_is_read() -> None:
    arguments = parser().parse_args(["scale", "projector=4"])
    assert (arguments.verb, arguments.wishes, arguments.services) == ("scale", ["projector=4"], [])
    assert read_projectors(arguments.wishes) == 4


@pytest.mark.parametrize(
    "wish", ["consumer=2", "projector", "projector=", "projector=x", "projector=-1", "projector=1e3"]
)
def test_anything_else_is_refused_in_a_sentence(wish: str) -> None:
    with pytest.raises(
        StackError, match=r"without Docker only the projector can be scaled: projector=1 to 12\.$"
    ):
        read_projectors([wish])


@pytest.mark.parametrize("number", [0, 13])
def test_number_out_of_bounds_is_refused(number: int) -> None:
    with pytest.raises(StackError, match=f"There can be 1 to 12 projectors, not {number}."):
        Settings().with_projectors(number)

"""The body of a request as JSON, taken literally.

Flask's own reader accepts NaN, UTF-16, duplicate keys and any content type, and a deeply nested body ends in
RecursionError. A number that is none is kept as a `Refused` value, so that validation can name its field.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from flask import Request
from pydantic import BaseModel

from producer.errors import Problem, ProblemDetail

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Refused:
    """NaN, Infinity or -Infinity: JSON has no such value, and no field accepts it."""

    text: str


def read_body(request: Request, model: type[Model]) -> Model:
    """The request's body as `model`. Problem 413, 415, 400; pydantic's ValidationError becomes 422."""
    if request.mimetype != "application/json":
        raise Problem(415, "send JSON with Content-Type: application/json")
    return model.model_validate(parse(request.get_data(cache=False)))


def parse(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_constant=Refused,
            parse_float=Decimal,
            object_pairs_hook=_without_duplicates,
        )
    except UnicodeDecodeError as error:
        raise Problem(400, f"the body is not UTF-8: byte {error.start} is wrong") from error
    except json.JSONDecodeError as error:
        detail = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise Problem(400, detail) from error
    except RecursionError as error:
        raise Problem(400, "the body is not acceptable JSON: nested too deeply") from error
    except ValueError as error:  # an integer of thousands of digits
        raise Problem(400, f"the body is not acceptable JSON: {error}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Problem(400, "a field is given twice", [ProblemDetail(f"/{name}", "is given twice")])
        found[name] = value
    return found

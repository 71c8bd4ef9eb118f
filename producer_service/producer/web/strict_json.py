"""The body of a request as JSON, taken literally.

Flask's own reader accepts NaN, UTF-16, duplicate keys and any content type, and a deeply nested body ends in
RecursionError. NaN and Infinity are kept as `NotANumber` values, so that validation can name their field.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from flask import Request
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from producer.web.errors import InvalidFields
from producer.web.responses import FieldError

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class NotANumber:
    """NaN, Infinity or -Infinity: JSON has no such value, and no field accepts it."""

    text: str


def read_body(request: Request, model: type[Model]) -> Model:
    """Return the request's body as `model`.

    Raises UnsupportedMediaType (415), BadRequest (400), RequestEntityTooLarge (413), and pydantic's
    ValidationError, which is answered with 422.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("The body must be JSON, sent with Content-Type: application/json.")
    return model.model_validate(parse(request.get_data(cache=False)))


def parse(body: bytes) -> Any:
    """Return the JSON value of a body; numbers with a fraction as Decimal. Raises BadRequest, InvalidFields."""
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_constant=NotANumber,
            parse_float=Decimal,
            object_pairs_hook=_without_duplicates,
        )
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8: byte {error.start} is wrong.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"The body is not JSON: {error.msg} at {place}.") from error
    except RecursionError as error:
        raise BadRequest("The body is not acceptable JSON: it is nested too deeply.") from error
    except ValueError as error:  # an integer of thousands of digits
        raise BadRequest(f"The body is not acceptable JSON: {error}.") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            duplicate = FieldError(pointer=f"/{name}", detail="is given twice")
            raise InvalidFields("A field is given twice.", [duplicate], 400)
        found[name] = value
    return found

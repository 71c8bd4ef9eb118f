"""The body of a request as JSON, taken literally.

Flask's own reader accepts NaN, UTF-16, duplicate keys and any content type, and a deeply nested body ends in
RecursionError. NaN, Infinity and numbers that Decimal cannot hold are kept as `NotANumber` values, so that
validation can name their field.
"""

import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from flask import Request
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from producer.web.errors import InvalidFields, json_pointer
from producer.web.responses import FieldError

Model = TypeVar("Model", bound=BaseModel)

# In a value the field's own check names it; a name that is not Unicode cannot even be quoted in a response.
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class NotANumber:
    """NaN, Infinity, -Infinity, or an exponent beyond Decimal's: no field accepts such a value."""

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
        return _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8: byte {error.start} is wrong.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"The body is not JSON: {error.msg} at {place}.") from error
    except RecursionError as error:
        raise BadRequest("The body is not acceptable JSON: it is nested too deeply.") from error
    except ValueError as error:  # an integer of thousands of digits
        raise BadRequest(f"The body is not acceptable JSON: {error}.") from error


def _number(text: str) -> Decimal | NotANumber:
    """Return a number with a fraction or an exponent, exactly as written."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return NotANumber(text)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs) and "".join(found).isascii():
        return found
    found.clear()
    for name, value in pairs:
        if not name.isascii() and _SURROGATE.search(name):
            raise BadRequest(
                "The body is not acceptable JSON: the name of a field has an unpaired surrogate."
            )
        if name in found:
            duplicate = FieldError(pointer=json_pointer((name,)), detail="is given twice")
            raise InvalidFields("A field is given twice.", [duplicate], 400)
        found[name] = value
    return found


# json.loads would make a new one for each body.
_DECODER = json.JSONDecoder(
    parse_constant=NotANumber, parse_float=_number, object_pairs_hook=_without_duplicates
)

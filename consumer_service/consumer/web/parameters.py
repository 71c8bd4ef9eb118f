"""The parameters of the query."""

from flask import Request


def read_parameter(request: Request, name: str) -> str | None:
    """Return a parameter, or None. A query that is not UTF-8 has none: werkzeug cannot read a raw byte in it."""
    try:
        return request.args.get(name)
    except UnicodeDecodeError:
        return None


def read_parameters(request: Request, name: str) -> list[str]:
    """Return every value of a parameter that may be repeated."""
    try:
        return request.args.getlist(name)
    except UnicodeDecodeError:
        return []

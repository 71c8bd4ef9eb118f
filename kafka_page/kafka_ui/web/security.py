"""What keeps a foreign page from reading Kafka through a browser, and our own page from loading foreign files."""

import re

from flask import Flask, Response, request
from werkzeug.exceptions import BadRequest, MethodNotAllowed

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::[0-9]{1,5})?")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def init_app(app: Flask, trusted_hosts: list[str]) -> None:
    """Check every request's Host and method, and add the security headers to every response."""
    trusted = {host.lower() for host in trusted_hosts}

    def refuse_untrusted_hosts() -> None:
        """Prevent DNS rebinding. Werkzeug's own TRUSTED_HOSTS never matches an IPv6 address."""
        match = HOST.fullmatch(request.headers.get("Host", ""))
        if match is None or match[1].lower() not in trusted:
            raise BadRequest("This host name is not trusted (setting TRUSTED_HOSTS).")

    app.before_request(refuse_untrusted_hosts)
    app.before_request(refuse_writes)
    app.after_request(add_headers)


def refuse_writes() -> None:
    """Refuse every method that could change something, whatever the path."""
    if request.method not in SAFE_METHODS:
        raise MethodNotAllowed(SAFE_METHODS, "These pages only read.")


def add_headers(response: Response) -> Response:
    """Add the security headers. What a page shows is out of date a second later, so nothing is stored."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.mimetype in ("text/html", "text/event-stream"):
        response.headers.setdefault("Cache-Control", "no-store")
    return response

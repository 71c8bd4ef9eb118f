"""What keeps a foreign page from using a browser against us, and our own page from loading foreign files."""

import re
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import BadRequest, Forbidden

from consumer.web.stream import busy_response

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::[0-9]{1,5})?")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def init_app(app: Flask, trusted_hosts: list[str]) -> None:
    """Check every request's Host and Origin, and add the security headers to every response."""
    trusted = {host.lower() for host in trusted_hosts}

    def refuse_untrusted_hosts() -> Response | None:
        """Prevent DNS rebinding. Werkzeug's own TRUSTED_HOSTS never matches an IPv6 address.

        A stream is refused with 200 too: a 400 would end a browser's EventSource for good."""
        match = HOST.fullmatch(request.headers.get("Host", ""))
        if match is not None and match[1].lower() in trusted:
            return None
        if request.path == "/stream":  # there may be no endpoint: routing fails with some hosts
            return busy_response("host")
        raise BadRequest("This host name is not trusted (setting TRUSTED_HOSTS).")

    app.before_request(refuse_untrusted_hosts)
    app.before_request(refuse_foreign_origins)
    app.after_request(add_headers)


def refuse_foreign_origins() -> None:
    """Refuse writes from other pages. The checkout page on the other port is the same *site*, so the origin
    must be exactly ours."""
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if (origin and _host_of(origin) != request.host) or site not in ("same-origin", "none"):
        raise Forbidden("Only this dashboard's own page may do that.")


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # such as http://[
        return None


def add_headers(response: Response) -> Response:
    """Add the security headers."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response

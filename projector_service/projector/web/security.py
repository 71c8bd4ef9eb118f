"""What keeps a browser from being used against us: no foreign host name, and responses that nothing can be made of."""

import re

from flask import Flask, Response, request
from werkzeug.exceptions import BadRequest

HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::[0-9]{1,5})?")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def init_app(app: Flask, trusted_hosts: list[str]) -> None:
    """Check every request's Host, and add the security headers to every response. Nothing here writes, so the
    origin of a request does not matter."""
    trusted = {host.lower() for host in trusted_hosts}

    def refuse_untrusted_hosts() -> None:
        """Prevent DNS rebinding. Werkzeug's own TRUSTED_HOSTS never matches an IPv6 address."""
        match = HOST.fullmatch(request.headers.get("Host", ""))
        if match is None or match[1].lower() not in trusted:
            raise BadRequest("This host name is not trusted (setting TRUSTED_HOSTS).")

    app.before_request(refuse_untrusted_hosts)
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    """Add the security headers."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response

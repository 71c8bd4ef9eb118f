"""What keeps a foreign page from using a browser against us, and our own page from loading what is not
ours."""

import re
from urllib.parse import urlsplit

from flask import Flask, Response, request

from consumer.errors import Problem

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


def register(app: Flask, hosts: list[str]) -> None:
    """Werkzeug's own TRUSTED_HOSTS never matches an IPv6 address, so the check is made here."""
    trusted = {host.lower() for host in hosts}

    def refuse_strange_hosts() -> None:
        match = HOST.fullmatch(request.headers.get("Host", ""))
        if match is None or match[1].lower() not in trusted:
            raise Problem(400, "This host name is not one of ours (setting TRUSTED_HOSTS).")

    app.before_request(refuse_strange_hosts)
    app.before_request(refuse_foreign_pages)
    app.after_request(add_headers)


def refuse_foreign_pages() -> None:
    """Same-site is not enough, as the shop on the other port is that too: it must be the very same origin."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if (origin and urlsplit(origin).netloc != request.host) or site not in ("same-origin", "none"):
        raise Problem(403, "Only this dashboard's own page may do that.")


def add_headers(answer: Response) -> Response:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer

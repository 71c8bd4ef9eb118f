"""What keeps a browser from being used against us: foreign pages may not post, ours load only our files."""

import re
from functools import partial
from urllib.parse import urlsplit

from flask import Flask, Response, request

from producer.errors import Problem


def content_security_policy(images: str = "'self'") -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src {images}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


CONTENT_SECURITY_POLICY = content_security_policy()
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::[0-9]{1,5})?")


def init_app(app: Flask, trusted_hosts: list[str]) -> None:
    app.before_request(partial(refuse_strange_hosts, {host.lower() for host in trusted_hosts}))
    app.before_request(refuse_foreign_pages)
    app.after_request(add_headers)


def refuse_strange_hosts(trusted: set[str]) -> None:
    """Against DNS rebinding. Werkzeug's own TRUSTED_HOSTS never matches an IPv6 address."""
    match = _HOST.fullmatch(request.headers.get("Host", ""))
    if match is None or match[1].lower() not in trusted:
        raise Problem(400, "this host name is not one of ours (setting TRUSTED_HOSTS)")


def refuse_foreign_pages() -> None:
    """The two pages differ only by port and so are one *site*: the origin is what tells them apart."""
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    if foreign or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Problem(403, "a page from elsewhere may not place or change orders here")


def add_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-store")
    return response

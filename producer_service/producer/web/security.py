"""What keeps a browser from being used against us: foreign pages may not post, and our pages load only our files."""

import re
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import BadRequest, Forbidden

from producer.web.errors import SAFE_METHODS

HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::[0-9]{1,5})?")


def content_security_policy(images: str = "'self'") -> str:
    """Return the policy of a page. images: the sources that images may come from."""
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


class TrustedHosts:
    """The names under which the service may be asked for. Prevents DNS rebinding.

    Werkzeug's own TRUSTED_HOSTS never matches an IPv6 address.
    """

    def __init__(self, names: list[str]):
        self._names = {name.lower() for name in names}

    def __contains__(self, host: str) -> bool:
        """Return whether the value of a Host header, with or without a port, is one of them."""
        match = HOST.fullmatch(host)
        return match is not None and match[1].lower() in self._names


def init_app(app: Flask, trusted_hosts: TrustedHosts) -> None:
    """Check every request's Host and Origin, and add the security headers to every response."""

    def refuse_untrusted_hosts() -> None:
        if request.headers.get("Host", "") not in trusted_hosts:
            raise BadRequest("This host name is not trusted (setting TRUSTED_HOSTS).")

    app.before_request(refuse_untrusted_hosts)
    app.before_request(refuse_foreign_origins)
    app.after_request(add_headers)


def refuse_foreign_origins() -> None:
    """Refuse writes from other pages. The two services differ only by port and so are one *site*, so the
    origin is what tells them apart."""
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("Origin")
    foreign = origin is not None and _host(origin) != request.host
    if foreign or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Forbidden("A page of another origin may not place or change orders.")


def _host(origin: str) -> str | None:
    """Return the host and port of an origin, or None when it cannot be read."""
    try:
        return urlsplit(origin).netloc
    except ValueError:  # such as "http://["
        return None


def add_headers(response: Response) -> Response:
    """Add the security headers; responses other than static files may not be cached."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-store")
    return response

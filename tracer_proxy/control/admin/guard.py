"""Who may use the admin port: nobody without the token if there is one, and no web page of another site.

A browser lets any page send requests to localhost. Such a page cannot read the answer, but could change something, and a name
that resolves to 127.0.0.1 makes it look like our own site (DNS rebinding). So changes need a request of our own origin, and
without a token the name by which the port is called must be an address or ``localhost``.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN = frozenset(("/healthz", "/readyz"))
"""What probes ask for, which know no token."""


def refused(kind: str, message: str, status: int, **headers: str) -> web.Response:
    """The shape of every refusal."""
    return web.json_response({"error": {"kind": kind, "message": message}}, status=status, headers=headers)


def why_not(request: web.Request, token: str | None) -> web.Response | None:
    """The refusal, or ``None`` for a request that may pass."""
    if request.path in OPEN:
        return None
    if token is not None:
        return None if _shows(request, token) else _no_token()
    if not _is_called_by_address(request.host):
        message = "Without a token the admin port answers only to localhost or an address; set admin.token for other names."
        return refused("forbidden_host", message, 403)
    if request.method not in ("GET", "HEAD") and _is_cross_site(request):
        return refused("cross_site", "A page of another site may not change anything here.", 403)
    return None


def _shows(request: web.Request, token: str) -> bool:
    shown = request.headers.get("authorization", "")
    scheme, _, value = shown.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(value.strip().encode("utf-8", "surrogateescape"), token.encode())


def _no_token() -> web.Response:
    message = "Show the token of the config's admin section: authorization: Bearer TOKEN."
    return refused("unauthorized", message, 401, **{"www-authenticate": "Bearer"})


def _is_called_by_address(host: str) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    if name == "localhost" or not name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_cross_site(request: web.Request) -> bool:
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.host

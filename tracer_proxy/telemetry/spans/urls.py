"""URLs as spans may show them: without credentials, and not without end."""

from urllib.parse import quote, unquote

from tracer_proxy.limits import ATTRIBUTE_CHARS_MAX

_REDACTED = "REDACTED"

# Semantic conventions, ``url.full``: these by default, case-sensitive.
_SIGNED = frozenset(
    (
        "AWSAccessKeyId",
        "Signature",
        "X-Amz-Credential",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Goog-Signature",
        "sig",
    )
)
# The conventions leave out how APIs take their keys in queries: Gemini has ``key``, Azure ``subscription-key``.
_KEYS = frozenset(
    (
        "access_token",
        "api-key",
        "api_key",
        "apikey",
        "auth",
        "authorization",
        "client_secret",
        "id_token",
        "key",
        "password",
        "refresh_token",
        "secret",
        "subscription-key",
        "token",
    )
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def cut(text: str) -> str:
    return text[:ATTRIBUTE_CHARS_MAX]


def redacted_query(query: str) -> str:
    """Keys stay; values of those that name a credential become ``REDACTED``."""
    if "=" not in query:
        return query
    return "&".join(map(_redacted, query.split("&")))


def redacted_target(target: str) -> str:
    """Of a path and a query."""
    path, mark, query = target.partition("?")
    return path + mark + redacted_query(query)


def full_url(scheme: str, host: str, port: int, target: str) -> str:
    """``host`` is the path of a Unix socket if ``port`` is 0."""
    target = redacted_target(target) if target.startswith("/") else ""
    if not port:
        return cut(f"{scheme}+unix://{quote(host, safe='')}{target}")
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == _DEFAULT_PORTS.get(scheme) else f"{shown}:{port}"
    return cut(f"{scheme}://{authority}{target}")


def host_and_port(host: str, scheme: str) -> tuple[str, int | None]:
    """Of a Host header. Credentials before an ``@`` are no part of either."""
    host = host.rpartition("@")[2]
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port:
        name, port = host, ""
    default = _DEFAULT_PORTS.get(scheme)
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else default
    return cut(name.strip("[]")), number


def _redacted(pair: str) -> str:
    key, mark, value = pair.partition("=")
    name = unquote(key) if "%" in key else key
    is_secret = name in _SIGNED or name.lower() in _KEYS
    return f"{key}={_REDACTED}" if mark and value and is_secret else pair

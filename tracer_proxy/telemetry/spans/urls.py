"""URLs as spans may show them: without credentials, and not without end."""

from urllib.parse import quote

from tracer_proxy.limits import ATTRIBUTE_CHARS_MAX
from tracer_proxy.telemetry.redaction import redacted_query

_DEFAULT_PORTS = {"http": 80, "https": 443}


def cut(text: str) -> str:
    return text[:ATTRIBUTE_CHARS_MAX]


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

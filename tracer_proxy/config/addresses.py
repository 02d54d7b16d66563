"""Addresses in the config: where to listen, where to send to, and whom to trust."""

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Annotated, Literal, cast

from pydantic_core import PydanticCustomError

from tracer_proxy.config.choices import hint, nearest
from tracer_proxy.config.values import VARIABLE_SCHEMA, Form, number, text, wrong, wrong_key
from tracer_proxy.context.trust import NAMED_NETWORKS
from tracer_proxy.limits import CONFIG_WEIGHT_MAX, UNIX_PATH_BYTES_MAX

_LISTEN = "an address such as 127.0.0.1:8080, [::1]:8080 or unix:/run/tracer-proxy.sock"
_ENDPOINT = "an endpoint such as http://127.0.0.1:7001, https://api.example.com or unix:/run/agent.sock"
_HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})"
_HOST_PORT = re.compile(rf"({_HOST}):(\d{{1,5}})")
_HOST_NAME = re.compile(_HOST)
_URL = re.compile(rf"(https?)://({_HOST})(?::(\d{{1,5}}))?(/.*)?")
_ENDPOINT_KEYS = ("url", "weight")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PORT_MAX = 65535


@dataclass(frozen=True, slots=True)
class Endpoint:
    scheme: Literal["http", "https", "unix"]
    host: str
    """Lower case, IPv6 without brackets; empty for ``unix``."""
    port: int
    """Filled in from the scheme when it was left out; 0 for ``unix``."""
    path: str = ""
    """Of the socket file, for ``unix`` only."""
    weight: float = 1.0

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port != _DEFAULT_PORTS[self.scheme] else "")


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """``host`` and ``port`` of a TCP listener (IPv6 without brackets), or ``path`` of a Unix socket."""

    host: str
    port: int
    path: str = ""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def split_listen(value: str) -> ListenAddress:
    """``host:port`` or ``unix:/path``; raises ``PydanticCustomError``, which is a ``ValueError``. Port 0 is any free port."""
    if value.startswith("unix:"):
        return ListenAddress("", 0, _socket_path(value))
    match = _HOST_PORT.fullmatch(value)
    if match is None or int(match[2]) > _PORT_MAX:
        raise wrong(f"expected {_LISTEN}")
    return ListenAddress(_host(match[1]), int(match[2]))


def read_listen(value: object) -> str:
    split_listen(text(value, _LISTEN))
    return str(value)


def _read_host_pattern(value: object) -> str:
    expectation = "a host name without port, such as api.example.com or *.example.com"
    host = text(value, expectation).lower()
    if not _HOST_NAME.fullmatch(host.removeprefix("*.")):
        raise wrong(f"expected {expectation}")
    return host


def _read_endpoint(value: object) -> Endpoint:
    if not isinstance(value, dict):
        return _read_url(value)
    for key in value:
        if key not in _ENDPOINT_KEYS:
            raise wrong_key(key, f"unknown key {key!r}{hint(key, _ENDPOINT_KEYS, 'keys')}")
    if "url" not in value:
        raise wrong("expected a mapping with url and weight, such as {url: http://127.0.0.1:7001, weight: 3}")
    try:
        endpoint = _read_url(value["url"])
    except PydanticCustomError as error:
        raise wrong(error.message(), "url") from None
    weight = number(value.get("weight", 1))
    if weight is None or not 0 < weight <= CONFIG_WEIGHT_MAX:
        raise wrong(f"expected a number above 0 and up to {CONFIG_WEIGHT_MAX:,.0f}", "weight")
    return replace(endpoint, weight=float(weight))


def _read_url(value: object) -> Endpoint:
    url = text(value, _ENDPOINT)
    if url.startswith("unix:"):
        return Endpoint("unix", "", 0, _socket_path(url))
    before_path = url.partition("://")[2].partition("/")[0]
    if "@" in before_path:
        raise wrong("expected an endpoint without user and password; put them into the pool's headers, as authorization")
    if "?" in url or "#" in url:
        raise wrong("expected an endpoint without ? and #; only scheme, host and port belong here")
    match = _URL.fullmatch(url)
    if match is None or not 0 < int(match[3] or 1) <= _PORT_MAX:
        raise wrong(f"expected {_ENDPOINT}")
    if match[4] and match[4] != "/":
        raise wrong("expected an endpoint without a path; put the path into the route: rewrite: {prefix: /path}")
    scheme = cast(Literal["http", "https"], match[1])
    return Endpoint(scheme, _host(match[2]), int(match[3] or _DEFAULT_PORTS[scheme]))


def _host(written: str) -> str:
    if not written.startswith("["):
        return written.lower()
    try:
        return str(ipaddress.IPv6Address(written[1:-1]))
    except ValueError:
        raise wrong("expected an IPv6 address inside of the brackets, such as [::1]") from None


def _socket_path(value: str) -> str:
    path = value.removeprefix("unix:")
    if not path.startswith("/") or "\0" in path:
        raise wrong("expected an absolute path after unix:, such as unix:/run/agent.sock")
    if len(path.encode()) > UNIX_PATH_BYTES_MAX:
        raise wrong(f"expected a socket path of at most {UNIX_PATH_BYTES_MAX} bytes, the most a Unix socket can have")
    return path


def _read_network(value: object) -> str:
    expectation = f"{', '.join(NAMED_NETWORKS)} or a network such as 10.1.0.0/16"
    network = text(value, expectation)
    if network in NAMED_NETWORKS:
        return network
    try:
        return str(ipaddress.ip_network(network))
    except ValueError:
        pass
    try:
        masked = ipaddress.ip_network(network, strict=False)
    except ValueError:
        guess = nearest(network, NAMED_NETWORKS)
        raise wrong(f"expected {expectation}" + (f"; did you mean {guess!r}?" if guess else "")) from None
    raise wrong(f"expected a network without host bits; did you mean '{masked}'?")


_LISTEN_SCHEMA = {"type": "string", "pattern": r"^(unix:/.+|.+:\d{1,5})$"}
_URL_SCHEMA = {"type": "string", "pattern": r"^(https?://[^/?#@]+/?|unix:/.+)$"}
_ENDPOINT_SCHEMA = {
    "anyOf": [
        _URL_SCHEMA,
        {
            "type": "object",
            "properties": {"url": _URL_SCHEMA, "weight": {"anyOf": [{"type": "number"}, VARIABLE_SCHEMA]}},
            "required": ["url"],
            "additionalProperties": False,
        },
    ]
}

Listen = Annotated[str, Form("address", read_listen, _LISTEN_SCHEMA)]
EndpointUrl = Annotated[Endpoint, Form("endpoint", _read_endpoint, _ENDPOINT_SCHEMA)]
Network = Annotated[str, Form("network", _read_network, {"type": "string"})]
HostPattern = Annotated[str, Form("host name", _read_host_pattern, {"type": "string"})]

"""What a config file may hold. The one source for ``check``, ``schema`` and the reference in ``docs/configuration.md``.

Each class is a section, each field a key of the same name; those of routing are in ``routes.py``, those of
rollouts in ``rollouts.py``. Here is what can be said of
one key alone; what holds between keys is in ``references.py``. Durations are seconds, sizes are bytes, lists are tuples.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from tracer_proxy.config.addresses import Listen, Network
from tracer_proxy.config.part import Part
from tracer_proxy.config.pools import Pool
from tracer_proxy.config.rollouts import Rollout, State
from tracer_proxy.config.routes import ColorRule, Route
from tracer_proxy.config.tls import ProxyTls
from tracer_proxy.config.tracing import Log, Tracing
from tracer_proxy.config.values import (
    Duration,
    Form,
    OneOrMany,
    Timeout,
    number,
    number_form,
    size_form,
    text_form,
    wrong,
)
from tracer_proxy.limits import (
    CLIENT_CONNECTIONS_MAX,
    CLIENT_IDLE_S,
    CONFIG_CONNECTIONS_MAX,
    DNS_TTL_S,
    DRAIN_S,
    EXCHANGES_MAX,
    HEAD_BYTES_MAX,
    HEAD_FIELDS_MAX,
    HEAD_S,
    WORKERS_MAX,
    KiB,
)


def _one_form(name: str, complaint: str) -> Form:
    """A number that can only be 1 so far."""

    def read(value: object) -> int:
        found = number(value)
        if found != 1 or not isinstance(found, int):
            raise wrong(complaint)
        return 1

    return Form(name, read, {"const": 1})


Version = Annotated[Literal[1], _one_form("`1`", "expected 1, the only version of the format there is")]
Workers = Annotated[int, number_form(1, WORKERS_MAX, whole=True)]
AdminToken = Annotated[
    str, text_form("token", r"[!-~]{16,256}", "a token of 16 to 256 visible ASCII characters, best from the environment")
]


class ProxyTimeouts(Part):
    """How long to wait for clients."""

    head: Timeout = Field(HEAD_S, description="For the whole head of a request, from its first byte.")
    keep_alive: Timeout = Field(CLIENT_IDLE_S, description="For the next request on an open connection.")


class ProxyLimits(Part):
    """What clients may cost."""

    head: Annotated[int, size_form(KiB, HEAD_BYTES_MAX)] = Field(
        HEAD_BYTES_MAX, description="Bytes of a request's head; a longer one is answered with 431."
    )
    headers: Annotated[int, number_form(1, HEAD_FIELDS_MAX, whole=True)] = Field(
        HEAD_FIELDS_MAX, description="Header fields of a request; more are answered with 431."
    )
    connections: Annotated[int, number_form(1, CONFIG_CONNECTIONS_MAX, whole=True)] = Field(
        CLIENT_CONNECTIONS_MAX, description="Open connections of clients."
    )
    exchanges: Annotated[int, number_form(1, CONFIG_CONNECTIONS_MAX, whole=True)] = Field(
        EXCHANGES_MAX, description="Requests under way; one more is answered with 503 at once."
    )


class Proxy(Part):
    """Where agents point to, and what they may cost."""

    listen: Annotated[tuple[Listen, ...], OneOrMany()] = Field(
        ("127.0.0.1:8080",), min_length=1, description="One address or several: `host:port` or `unix:/path`."
    )
    workers: Workers = Field(1, description="Processes that move bytes; one is enough for most agents.")
    timeouts: ProxyTimeouts = Field(default_factory=ProxyTimeouts, description="How long to wait for clients.")
    limits: ProxyLimits = Field(default_factory=ProxyLimits, description="What clients may cost.")
    drain: Duration = Field(DRAIN_S, description="How long exchanges under way may go on after SIGTERM.")
    tls: ProxyTls | None = Field(None, description="TLS on the TCP addresses of `listen`; a Unix socket stays without.")
    dns_ttl: Timeout = Field(DNS_TTL_S, description="How long the addresses of an endpoint's name are used.")


class Admin(Part):
    """The admin port: health, status, metrics, and changes while it runs."""

    listen: Listen = Field(description="`host:port` or `unix:/path`; beyond loopback it needs a token.")
    token: AdminToken | None = Field(
        None,
        repr=False,
        description="What a request must show as `authorization: Bearer TOKEN`, but for `/healthz` and `/readyz`.",
    )


MOCK_LLM_POOL = "mock-llm"
"""The name under which its pool is shown."""


class MockLlm(Part):
    """The bundled mock of an LLM provider."""

    listen: Listen = Field("127.0.0.1:8082", description="Where it listens; it is there for agents as well.")
    token_interval: Duration = Field(0.0, description="Pause between two tokens of a streamed answer.")


class Mocks(Part):
    """Stand-ins that run beside the proxy."""

    llm: MockLlm | None = Field(None, description="The mock LLM; `{}` starts it with defaults.")


class Config(Part):
    """A whole config file, with the profile that was chosen laid over it."""

    version: Version = Field(description="Of this format.")
    proxy: Proxy = Field(default_factory=Proxy, description="Where agents point to, and what they may cost.")
    admin: Admin | None = Field(None, description="The admin port; left out, there is none.")
    tracing: Tracing = Field(default_factory=Tracing, description="What becomes of traces.")
    log: Log = Field(default_factory=Log, description="The log of exchanges.")
    trust: tuple[Network, ...] = Field(
        ("loopback", "private"),
        description="Whose trace headers, baggage and colours are believed: `loopback`, `private`, `all`, or networks.",
    )
    coloring: tuple[ColorRule, ...] = Field((), description="Rules that colour traces; the first that holds wins.")
    routes: tuple[Route, ...] = Field(min_length=1, description="What goes where; the first that matches wins.")
    pools: Mapping[str, Pool] = Field(min_length=1, description="Endpoints by the name that lanes use.")
    rollouts: Mapping[str, Rollout] = Field({}, description="Lanes that take over step by step, by the rollout's name.")
    state: State | None = Field(None, description="What is to survive a restart; left out, rollouts begin anew with one.")
    mocks: Mocks = Field(default_factory=Mocks, description="Stand-ins that run beside the proxy.")
    # Taken off by profiles.py before the rest is checked, so that it is always empty in a Config that was loaded.
    profiles: Mapping[str, Mapping[str, Any]] = Field(
        {}, description="Parts of this file by name, laid over the rest when the [profile](#profiles) is chosen."
    )

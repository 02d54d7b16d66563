"""Every metric in one list. Names follow Prometheus practice: base units, the unit last, ``_total`` on counters."""

from dataclasses import dataclass
from enum import StrEnum

from tracer_proxy.errors import Kind

BUCKETS_S = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    20.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
)
"""Upper bounds in seconds, from a local tool to a model that thinks for ten minutes. What is above counts as ``+Inf``."""


class Type(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"
    """A gauge that is always 1: what there is to know stands in its labels."""


class Shed(StrEnum):
    """Why new work was refused."""

    CONNECTIONS = "connections"
    EXCHANGES = "exchanges"
    DESCRIPTORS = "descriptors"
    DRAINING = "draining"
    POOL_CONNECTIONS = "pool_connections"
    POOL_PENDING = "pool_pending"
    POOL_REQUESTS = "pool_requests"


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    """All values of the only label, where that is a closed list: such series are there from the start, at 0."""

    @property
    def is_per_worker(self) -> bool:
        """A gauge that each worker has for itself; its last label is filled in by whoever adds up."""
        return self.labels[-1:] == ("worker",)


_LANE = ("route", "lane")
_ENDPOINT = ("pool", "endpoint")
_COUNTER, _GAUGE, _HISTOGRAM, _INFO = Type.COUNTER, Type.GAUGE, Type.HISTOGRAM, Type.INFO

# What a worker counts for each lane of a route. Requests that no route matched count under empty names.

EXCHANGES = Metric(
    "tracer_proxy_exchanges_total",
    _COUNTER,
    "Exchanges that ended, by what the client got (499: it left first) and by colour (other: not named in the config).",
    (*_LANE, "color", "status"),
)
DURATION = Metric(
    "tracer_proxy_exchange_duration_seconds", _HISTOGRAM, "From the request's head to the end of the answer.", _LANE
)
FIRST_BYTE = Metric(
    "tracer_proxy_exchange_first_byte_seconds", _HISTOGRAM, "From the request's head to the answer's first byte.", _LANE
)
REQUEST_BYTES = Metric("tracer_proxy_request_body_bytes_total", _COUNTER, "Body bytes from clients.", _LANE)
RESPONSE_BYTES = Metric("tracer_proxy_response_body_bytes_total", _COUNTER, "Body bytes to clients.", _LANE)
FALLBACKS = Metric(
    "tracer_proxy_lane_fallbacks_total",
    _COUNTER,
    "Exchanges that the baseline took because no lane serves their colour.",
    _LANE,
)

# What a worker counts for each endpoint of a pool.

ATTEMPTS = Metric(
    "tracer_proxy_upstream_attempts_total", _COUNTER, "Requests sent or tried, by what came of them.", (*_ENDPOINT, "outcome")
)
RETRIES = Metric("tracer_proxy_upstream_retries_total", _COUNTER, "Attempts that repeated a failed one.", _ENDPOINT)
EJECTIONS = Metric("tracer_proxy_upstream_ejections_total", _COUNTER, "Times a worker stopped using the endpoint.", _ENDPOINT)
OPENED = Metric("tracer_proxy_upstream_connections_opened_total", _COUNTER, "New connections to the endpoint.", _ENDPOINT)
REUSED = Metric("tracer_proxy_upstream_connections_reused_total", _COUNTER, "Attempts on a kept connection.", _ENDPOINT)
PENDING = Metric("tracer_proxy_upstream_pending", _GAUGE, "Exchanges under way at the endpoint.", (*_ENDPOINT, "worker"))
CONNECTIONS = Metric(
    "tracer_proxy_upstream_connections", _GAUGE, "Open connections: active or idle.", (*_ENDPOINT, "state", "worker")
)
HEALTH = Metric(
    "tracer_proxy_upstream_health", _GAUGE, "1 for the state that the endpoint is in.", (*_ENDPOINT, "state", "worker")
)

# What a worker counts for itself.

ACCEPTED = Metric("tracer_proxy_connections_accepted_total", _COUNTER, "Client connections accepted.")
CLIENTS = Metric("tracer_proxy_connections_open", _GAUGE, "Client connections open.", ("worker",))
UNDER_WAY = Metric("tracer_proxy_exchanges_under_way", _GAUGE, "Exchanges that have not ended.", ("worker",))
TUNNELS = Metric("tracer_proxy_tunnels_open", _GAUGE, "Upgraded connections open, such as WebSockets.", ("worker",))
TUNNELS_OPENED = Metric("tracer_proxy_tunnels_opened_total", _COUNTER, "Connections upgraded.")
ERRORS = Metric(
    "tracer_proxy_errors_total",
    _COUNTER,
    "Exchanges that the proxy ended itself, by kind.",
    ("kind",),
    tuple(kind.value for kind in Kind),
)
SHED = Metric(
    "tracer_proxy_shed_total",
    _COUNTER,
    "New work refused, by the bound that was reached.",
    ("reason",),
    tuple(reason.value for reason in Shed),
)
RESOLVER_FAILURES = Metric("tracer_proxy_resolver_failures_total", _COUNTER, "Host names that could not be resolved.")
LAG = Metric("tracer_proxy_event_loop_lag_seconds", _HISTOGRAM, "How late the workers' clock ticks were.")
RESENT = Metric("tracer_proxy_deltas_resent_total", _COUNTER, "Deltas sent again because control had not confirmed them.")

# What control counts and knows.

READY = Metric("tracer_proxy_ready", _GAUGE, "1 while /readyz says ready.")
BUILD = Metric("tracer_proxy_build_info", _INFO, "What is running.", ("version", "python"))
CONFIG = Metric("tracer_proxy_config_info", _INFO, "Hash of the config in use.", ("hash",))
RELOADS = Metric("tracer_proxy_reloads_total", _COUNTER, "Reloads, by outcome.", ("outcome",), ("ok", "failed"))
RELOAD_OK = Metric("tracer_proxy_config_last_reload_successful", _GAUGE, "0 while the config file is not what is in use.")
RELOAD_TIME = Metric(
    "tracer_proxy_config_last_reload_success_timestamp_seconds", _GAUGE, "Unix time at which the config in use was loaded."
)
RESTARTS = Metric(
    "tracer_proxy_process_restarts_total",
    _COUNTER,
    "Processes that died and were replaced.",
    ("process",),
    ("worker", "control"),
)
SERIES_DROPPED = Metric(
    "tracer_proxy_series_dropped_total", _COUNTER, "Numbers not added up because there are too many series already."
)

GROUPS: tuple[tuple[str, tuple[Metric, ...]], ...] = (
    ("Lanes", (EXCHANGES, DURATION, FIRST_BYTE, REQUEST_BYTES, RESPONSE_BYTES, FALLBACKS)),
    ("Endpoints", (ATTEMPTS, RETRIES, EJECTIONS, OPENED, REUSED, PENDING, CONNECTIONS, HEALTH)),
    (
        "Workers",
        (ACCEPTED, CLIENTS, UNDER_WAY, TUNNELS, TUNNELS_OPENED, ERRORS, SHED, RESOLVER_FAILURES, LAG, RESENT),
    ),
    ("Control", (READY, BUILD, CONFIG, RELOADS, RELOAD_OK, RELOAD_TIME, RESTARTS, SERIES_DROPPED)),
)
METRICS = {metric.name: metric for _, group in GROUPS for metric in group}

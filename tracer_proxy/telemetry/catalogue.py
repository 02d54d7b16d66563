"""Every metric in one list. Names follow Prometheus practice: base units, the unit last, ``_total`` on counters.

``http_*`` and ``gen_ai_*`` are OpenTelemetry's, with its labels and buckets: dashboards made for them work as they are.
"""

from dataclasses import dataclass, field
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

HTTP_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""HTTP metrics, stable: ``http.server.request.duration`` and its client twin."""

GEN_AI_BUCKETS_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""GenAI metrics, v1.41."""

TOKEN_BUCKETS = tuple(4.0**power for power in range(14))
"""GenAI metrics, v1.41: up to 64 Mi tokens."""


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


class Join(StrEnum):
    """How an exchange found its trace: ``Record.joined_by``."""

    TRACEPARENT = "traceparent"
    B3 = "b3"
    B3_MULTI = "b3multi"
    EXTERNAL_ID = "x-trace-id-ext"
    META = "meta"
    RUN = "run"
    RESPONSE_ID = "response_id"
    CONVERSATION = "conversation"
    TOOL_CALL = "tool_call"
    MCP_CALL = "mcp_call"
    NEW = "new"


class JoinMiss(StrEnum):
    """Why an exchange that repeats ids of earlier ones was not joined to their trace."""

    UNKNOWN_ID = "unknown_id"
    AMBIGUOUS = "ambiguous"
    NOT_UNIQUE = "not_unique"
    CROWDED = "crowded"
    ROLLED_OVER = "rolled_over"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"


class Abandoned(StrEnum):
    """Why a body was not read to its end beside the traffic."""

    TOO_LARGE = "too_large"
    ENCODING = "encoding"
    UNREADABLE = "unreadable"


class SpanLoss(StrEnum):
    """Why a span did not leave."""

    QUEUE_FULL = "queue_full"
    """More waited than may wait."""
    REFUSED = "refused"
    """The collector refused them for good."""
    GAVE_UP = "gave_up"
    """It could not be reached for too long."""
    REJECTED = "rejected"
    """It took the batch and said that it did not keep them."""
    CLOSING = "closing"
    """The proxy ended before they were sent."""
    NO_EXPORTER = "no_exporter"
    """The exporter was switched off meanwhile, or does not work at all."""
    BUG = "bug"
    """No spans could be made of the record."""


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    """All values of the only label, where that is a closed list: such series are there from the start, at 0."""
    buckets: tuple[float, ...] = ()
    """Upper bounds, of a histogram."""
    scope: tuple[str, ...] = field(init=False)
    """The labels that the config names: what is no longer there has vanished with its series."""

    def __post_init__(self) -> None:
        scopes = (scope for scope in _SCOPES if set(scope).issubset(self.labels))
        object.__setattr__(self, "scope", next(scopes, ()))

    @property
    def is_per_worker(self) -> bool:
        """A gauge that each worker has for itself; its last label is filled in by whoever adds up."""
        return self.labels[-1:] == ("worker",)


_LANE = ("route", "lane")
_ENDPOINT = ("pool", "endpoint")
_HTTP_ROUTE = ("http_route",)
_SERVER = ("server_address", "server_port")
_SCOPES = (_LANE, _ENDPOINT, _HTTP_ROUTE, _SERVER)
_GEN_AI = (
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "gen_ai_response_model",
    *_SERVER,
)
_COUNTER, _GAUGE, _HISTOGRAM, _INFO = Type.COUNTER, Type.GAUGE, Type.HISTOGRAM, Type.INFO

# What a worker counts for each lane of a route. Requests that no route matched count under empty names.

EXCHANGES = Metric(
    "tracer_proxy_exchanges_total",
    _COUNTER,
    "Exchanges that ended, by what the client got (499: it left first) and by colour (other: not named in the config).",
    (*_LANE, "color", "status"),
)
DURATION = Metric(
    "tracer_proxy_exchange_duration_seconds",
    _HISTOGRAM,
    "From the request's head to the end of the answer.",
    _LANE,
    buckets=BUCKETS_S,
)
FIRST_BYTE = Metric(
    "tracer_proxy_exchange_first_byte_seconds",
    _HISTOGRAM,
    "From the request's head to the answer's first byte.",
    _LANE,
    buckets=BUCKETS_S,
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

# What a worker counts by the conventions: for each ``http_route``, for each server, and for the models it saw called.

SERVER_DURATION = Metric(
    "http_server_request_duration_seconds",
    _HISTOGRAM,
    "From the request's head to the end of the answer.",
    (
        "http_request_method",
        *_HTTP_ROUTE,
        "http_response_status_code",
        "error_type",
        "url_scheme",
        "network_protocol_version",
    ),
    buckets=HTTP_BUCKETS_S,
)
CLIENT_DURATION = Metric(
    "http_client_request_duration_seconds",
    _HISTOGRAM,
    "One attempt at an endpoint, to the end of its answer.",
    ("http_request_method", *_SERVER, "http_response_status_code", "error_type", "network_protocol_version"),
    buckets=HTTP_BUCKETS_S,
)
OPERATION_DURATION = Metric(
    "gen_ai_client_operation_duration_seconds",
    _HISTOGRAM,
    "One call of a model, to the end of its answer.",
    (*_GEN_AI, "error_type"),
    buckets=GEN_AI_BUCKETS_S,
)
TOKEN_USAGE = Metric(
    "gen_ai_client_token_usage",
    _HISTOGRAM,
    "Tokens of one call by the provider's own count; input includes what came from a cache, output includes reasoning.",
    (*_GEN_AI, "gen_ai_token_type"),
    buckets=TOKEN_BUCKETS,
)
FIRST_CHUNK = Metric(
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    _HISTOGRAM,
    "Of a stream: from the request to the first chunk of the answer.",
    _GEN_AI,
    buckets=GEN_AI_BUCKETS_S,
)
CHUNK_GAP = Metric(
    "gen_ai_client_operation_time_per_output_chunk_seconds",
    _HISTOGRAM,
    "Of a stream: from the end of each chunk to the end of the next.",
    _GEN_AI,
    buckets=GEN_AI_BUCKETS_S,
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
STREAMS = Metric("tracer_proxy_streams_open", _GAUGE, "Streams of events under way.", ("worker",))
JOINS = Metric(
    "tracer_proxy_joins_total",
    _COUNTER,
    "Exchanges by how they found their trace (new: they began one).",
    ("method",),
    tuple(method.value for method in Join),
)
JOIN_MISSES = Metric(
    "tracer_proxy_join_misses_total",
    _COUNTER,
    "Exchanges that repeat ids of earlier ones and were not joined by them.",
    ("reason",),
    tuple(reason.value for reason in JoinMiss),
)
RECORDS_DROPPED = Metric(
    "tracer_proxy_records_dropped_total", _COUNTER, "Records of exchanges that did not get from a worker to control."
)
ABANDONED = Metric(
    "tracer_proxy_observations_abandoned_total",
    _COUNTER,
    "Bodies of model calls that were not read to their end; the traffic itself is not touched by that.",
    ("reason",),
    tuple(reason.value for reason in Abandoned),
)
RESOLVER_FAILURES = Metric("tracer_proxy_resolver_failures_total", _COUNTER, "Host names that could not be resolved.")
LAG = Metric("tracer_proxy_event_loop_lag_seconds", _HISTOGRAM, "How late the workers' clock ticks were.", buckets=BUCKETS_S)
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
SPANS_EXPORTED = Metric("tracer_proxy_spans_exported_total", _COUNTER, "Spans that the collector took.")
SPANS_DROPPED = Metric(
    "tracer_proxy_spans_dropped_total",
    _COUNTER,
    "Spans that did not leave.",
    ("reason",),
    tuple(reason.value for reason in SpanLoss),
)
EXPORT_FAILURES = Metric("tracer_proxy_export_failures_total", _COUNTER, "Tries to export spans that failed.")
LOG_DROPPED = Metric("tracer_proxy_log_lines_dropped_total", _COUNTER, "Lines that the log had no room for.")
LIVE_DROPPED = Metric(
    "tracer_proxy_live_records_dropped_total", _COUNTER, "Records that a reader of the live view was too slow for."
)
SERIES_DROPPED = Metric(
    "tracer_proxy_series_dropped_total", _COUNTER, "Numbers not added up because there are too many series already."
)

# What control knows of rollouts.

ROLLOUT_STATE = Metric("tracer_proxy_rollout_state", _GAUGE, "1 for the state that it is in.", ("rollout", "state"))
ROLLOUT_STEP = Metric("tracer_proxy_rollout_step", _GAUGE, "The step that it is at, from 1.", ("rollout",))
ROLLOUT_WEIGHT = Metric(
    "tracer_proxy_rollout_weight_ratio",
    _GAUGE,
    "Share of the sessions without colour that a lane gets, from 0 to 1.",
    ("rollout", *_LANE),
)
ROLLOUT_VERDICTS = Metric(
    "tracer_proxy_rollout_verdicts_total", _COUNTER, "Looks at a lane, by outcome.", ("rollout", "outcome")
)
ROLLOUT_CHANGES = Metric(
    "tracer_proxy_rollout_changes_total", _COUNTER, "Changes of a rollout, as the log names them.", ("rollout", "change")
)
WEBHOOKS = Metric(
    "tracer_proxy_webhooks_total",
    _COUNTER,
    "Changes of rollouts told to webhooks, by outcome; failed: given up after the last try.",
    ("outcome",),
    ("sent", "failed", "dropped"),
)

GROUPS: tuple[tuple[str, tuple[Metric, ...]], ...] = (
    ("Lanes", (EXCHANGES, DURATION, FIRST_BYTE, REQUEST_BYTES, RESPONSE_BYTES, FALLBACKS)),
    ("Endpoints", (ATTEMPTS, RETRIES, EJECTIONS, OPENED, REUSED, PENDING, CONNECTIONS, HEALTH)),
    ("HTTP, by OpenTelemetry's names", (SERVER_DURATION, CLIENT_DURATION)),
    ("Models, by OpenTelemetry's names", (OPERATION_DURATION, TOKEN_USAGE, FIRST_CHUNK, CHUNK_GAP)),
    (
        "Workers",
        (
            *(ACCEPTED, CLIENTS, UNDER_WAY, STREAMS, TUNNELS, TUNNELS_OPENED, ERRORS, SHED),
            *(JOINS, JOIN_MISSES, RECORDS_DROPPED, ABANDONED, RESOLVER_FAILURES, LAG, RESENT),
        ),
    ),
    ("Rollouts", (ROLLOUT_STATE, ROLLOUT_STEP, ROLLOUT_WEIGHT, ROLLOUT_VERDICTS, ROLLOUT_CHANGES, WEBHOOKS)),
    (
        "Control",
        (
            *(READY, BUILD, CONFIG, RELOADS, RELOAD_OK, RELOAD_TIME, RESTARTS),
            *(SPANS_EXPORTED, SPANS_DROPPED, EXPORT_FAILURES, LOG_DROPPED, LIVE_DROPPED, SERIES_DROPPED),
        ),
    ),
)
METRICS = {metric.name: metric for _, group in GROUPS for metric in group}

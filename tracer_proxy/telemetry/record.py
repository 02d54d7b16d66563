"""The record of an exchange: what the worker knows when it has ended. Spans, log, live view and evidence are made of it.

Times are Unix seconds. Ids are lower-case hex as bytes. What is not known is empty or ``None``. A record crosses from worker to
control as MessagePack by position, so new fields go last.
"""

from msgspec import Struct

from tracer_proxy.genai.answered import Answered
from tracer_proxy.genai.asked import Asked
from tracer_proxy.genai.rpc import RpcAnswered, RpcAsked


class Attempt(Struct, array_like=True, gc=False):
    """One attempt at an endpoint: a CLIENT span."""

    span_id: bytes
    """What the endpoint was told is its parent, where it was told."""
    began: float
    ended: float
    first_byte: float | None
    """Of the answer's head."""
    pool: str
    scheme: str
    host: str
    """A name or an address, as in the config; the path of a Unix socket, with port 0."""
    port: int
    peer: str
    """The address that was connected to."""
    reused: bool
    """Sent on a kept connection."""
    status: int | None
    error: str
    """Kind of the error that ended it; empty also for an answer of 5xx."""


class Link(Struct, array_like=True, gc=False):
    """Another span that this exchange has to do with."""

    trace_id: bytes
    span_id: bytes
    reason: str
    """``previous_turn``, ``conflict`` (another trace header said so), ``http`` (the headers around an MCP call said so),
    ``inbound`` (not believed as parent), ``stitch`` (ids say so, an explicit context says otherwise), ``rolled_over``,
    ``ambiguous``."""


class ToolRun(Struct, array_like=True, gc=False):
    """A tool's run that was inferred: from the call handed out to its result handed back."""

    span_id: bytes
    parent_id: bytes
    handed_out_by: bytes
    """Span of the attempt whose answer held the call."""
    call_id: str
    tool: str
    began: float
    ended: float
    failed: bool
    result: str = ""


class Record(Struct, array_like=True, gc=False):
    trace_id: bytes
    span_id: bytes
    """Of the inbound leg: a SERVER span."""
    parent_id: bytes
    """Empty at the root of a trace."""
    sampled: bool
    joined_by: str
    """How its trace was found: ``traceparent``, ``b3``, ``b3multi``, ``x-trace-id-ext``, ``meta``, ``run``,
    ``response_id``, ``conversation``, ``tool_call``, ``mcp_call``, ``new``."""
    trace_state: bytes
    external_id: bytes
    """The caller's own ``x-trace-id-ext`` that is no trace id."""
    links: list[Link]

    began: float
    first_byte: float | None
    """To the client."""
    ended: float
    method: str
    scheme: str
    host: str
    """As the caller asked for it, with the port if it named one."""
    path: str
    query: str
    version: str
    """``1.0`` or ``1.1``."""
    client: str
    """The client's address; empty on a Unix socket."""
    client_port: int
    user_agent: str
    request_bytes: int
    response_bytes: int
    """Of bodies."""
    status: int
    """What the client got; 499 when it left first, 101 for a tunnel."""
    error: str
    """Kind of the error by which the proxy ended it."""
    error_message: str
    is_stream: bool
    """The answer was a stream of events, or a tunnel."""

    route: str
    http_route: str
    """The route's path as the config has it, without what varies."""
    lane: str
    lane_intended: str
    """Where the baseline stands in, the colour that no lane serves, or the lane that nobody could serve; else as ``lane``."""
    color: str
    color_source: str
    session: str
    """The session, where there is a name for it: from a header, a body or an earlier turn. Never made up."""
    session_source: str
    """The rung of the ladder that the lane hangs on, such as ``header:x-session-id`` or ``trace``."""
    config: str
    """Version of the config."""

    target: str
    """Path and query as they went on."""
    attempts: list[Attempt]
    tools: list[ToolRun]
    llm_api: str
    asked: Asked | None
    answered: Answered | None
    rpc_asked: RpcAsked | None
    rpc_answered: RpcAnswered | None
    events: int = 0
    """Events of a stream or frames' pieces of a tunnel that went to the client."""
    worker: int = 0
    agent: str = ""
    """Which agent calls: ``x-agent-id``, or that of a sub-agent where its harness says so."""
    parent_agent: str = ""
    shadow: str = ""
    """``copy``: it was made of another exchange, which has its other span; ``marked``: for a copy's sake; else empty."""
    session_key: str = ""
    """What the lane hangs on, where that is neither ``session`` nor, if the source is ``trace``, the trace id."""

"""From an exchange that has ended to its record."""

from typing import TYPE_CHECKING

from tracer_proxy.context.session_headers import sub_agent_of
from tracer_proxy.context.session_name import session_digest
from tracer_proxy.errors import ProxyError
from tracer_proxy.routing.condition import AGENT_ID
from tracer_proxy.telemetry.record import Attempt, Record

if TYPE_CHECKING:
    from tracer_proxy.dataplane.attempts import Attempts
    from tracer_proxy.dataplane.copies import Copy
    from tracer_proxy.dataplane.downstream import Downstream
    from tracer_proxy.dataplane.exchange import Exchange
    from tracer_proxy.dataplane.plan import Plan


class AskedFor:
    """What follows from a head alone: made once for all requests with the same head on a connection."""

    __slots__ = (
        "client",
        "host",
        "http_route",
        "llm_api",
        "method",
        "parent_agent",
        "path",
        "query",
        "route",
        "scheme",
        "sub_agent",
        "target",
        "user_agent",
        "version",
    )

    def __init__(self, plan: "Plan") -> None:
        head, route = plan.head, plan.route
        self.method = _text(head.method)
        self.scheme, self.client = plan.scheme.decode(), plan.peer.decode()
        self.host = _text(head.authority)
        self.path = _text(b"/~/" + plan.run + head.path if plan.run else head.path)
        self.query = _text(head.query)
        self.version = "1.1" if head.version_1_1 else "1.0"
        self.user_agent = _text(head.fields.values.get(b"user-agent", b""))
        self.sub_agent, self.parent_agent = sub_agent_of(head.fields.values)
        self.route = self.http_route = self.llm_api = self.target = ""
        if route is not None:
            self.route, self.http_route, self.llm_api = route.name, route.http_route, route.llm_api
            self.target = _text(route.path_out(head.path) + (b"?" + head.query if head.has_query else b""))


def record_of(exchange: "Exchange", status: int, error: ProxyError | None, ended: float) -> Record:
    """``status`` is what the client got; ``ended`` is monotonic, as all times of an exchange are."""
    unix = exchange.worker.clock.unix_offset
    plan, decision, downstream, context = exchange.plan, exchange.decision, exchange.downstream, exchange.context
    first_byte_s = exchange.first_byte_s
    began = exchange.began
    attempts = list(exchange.past_attempts)
    if exchange.endpoint is not None:
        attempts.append(attempt_of(exchange))
    asked_for = plan.asked_for
    if asked_for is None:
        asked_for = plan.asked_for = AskedFor(plan)
    lane = color = color_source = intended = source = session_key = ""
    session = exchange.session
    if decision is not None:
        lane, color, color_source = exchange.lane.name, decision.color.decode(), decision.color_source
        intended, source = color if decision.fell_back else decision.lane.name, decision.session_source
        key = decision.session_key.decode()
        name = session_digest(decision.session_key) if decision.is_secret else key
        if session == key or (not session and not decision.hangs_on_trace):
            session = name
        if name != (exchange.trace_id.decode() if decision.hangs_on_trace else session):
            session_key = name
    return Record(
        trace_id=exchange.trace_id,
        span_id=exchange.server_span_id,
        parent_id=context.parent_id,
        sampled=exchange.sampled,
        joined_by=context.source,
        trace_state=context.tracestate,
        external_id=context.external_id,
        links=list(exchange.links),
        began=began + unix,
        first_byte=None if first_byte_s is None else began + first_byte_s + unix,
        ended=ended + unix,
        method=asked_for.method,
        scheme=asked_for.scheme,
        host=asked_for.host,
        path=asked_for.path,
        query=asked_for.query,
        version=asked_for.version,
        client=asked_for.client,
        client_port=downstream.peer_port,
        user_agent=asked_for.user_agent,
        request_bytes=exchange.received_bytes,
        response_bytes=exchange.sent_bytes,
        status=status,
        error=error.kind if error is not None else "",
        error_message=error.message if error is not None else "",
        is_stream=exchange.is_stream,
        route=asked_for.route,
        http_route=asked_for.http_route,
        lane=lane,
        lane_intended=intended,
        color=color,
        color_source=color_source,
        session=session,
        session_source=source,
        config=exchange.table.version,
        target=asked_for.target,
        attempts=attempts,
        tools=list(exchange.tools),
        llm_api=asked_for.llm_api,
        asked=None,
        answered=None,
        rpc_asked=None,
        rpc_answered=None,
        events=exchange.pieces,
        agent=_text(plan.head.fields.values.get(AGENT_ID, b"")) or asked_for.sub_agent,
        parent_agent=asked_for.parent_agent,
        shadow="marked" if plan.is_shadow else "",
        session_key=session_key,
    )


def record_of_refused(downstream: "Downstream", error: ProxyError, trace_id: bytes, span_id: bytes, now: float) -> Record:
    """Of bytes that are no request: little is known."""
    at = now + downstream.worker.clock.unix_offset
    return Record(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=b"",
        sampled=False,
        joined_by="new",
        trace_state=b"",
        external_id=b"",
        links=[],
        began=at,
        first_byte=None,
        ended=at,
        method="",
        scheme=downstream.scheme.decode(),
        host="",
        path="",
        query="",
        version="1.1",
        client=downstream.peer.decode(),
        client_port=downstream.peer_port,
        user_agent="",
        request_bytes=0,
        response_bytes=0,
        status=error.status,
        error=error.kind,
        error_message=error.message,
        is_stream=False,
        route="",
        http_route="",
        lane="",
        lane_intended="",
        color="",
        color_source="",
        session="",
        session_source="",
        config=downstream.worker.table.version,
        target="",
        attempts=[],
        tools=[],
        llm_api="",
        asked=None,
        answered=None,
        rpc_asked=None,
        rpc_answered=None,
    )


def attempt_of(exchange: "Attempts | Copy") -> Attempt:
    """The last attempt, which has ended."""
    unix = exchange.worker.clock.unix_offset
    endpoint = exchange.endpoint
    assert endpoint is not None
    return Attempt(
        span_id=exchange.span_id,
        began=exchange.attempt_began + unix,
        ended=exchange.attempt_ended + unix,
        first_byte=exchange.sent_at + exchange.answer_s + unix if exchange.answer_status else None,
        pool=exchange.lane.pool.name,
        scheme="https" if endpoint.tls is not None else "http",
        host=endpoint.host or endpoint.path,
        port=endpoint.port,
        peer=exchange.peer,
        reused=exchange.reused,
        status=exchange.answer_status or None,
        error=exchange.attempt_error,
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")

"""Heads as they leave: other people's lines as they came, and one coherent set of ours.

What does not depend on the single request is prepared: at load (``Pool.header_block``, ``Lane.removed``, the injector) or once
for all requests with the same head (``plan.Departure``).
"""

from typing import TYPE_CHECKING

from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.route import Egress, SessionCookie
from tracer_proxy.wire.request import RequestHead
from tracer_proxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange

_VIA = b"Via: 1.1 tracer-proxy\r\n"
_VIA_AND_TRACE = _VIA + b"x-trace-id-ext: "
# A member of an enum is looked up through its metaclass, a global of the module is not.
_NO_EGRESS = Egress.NONE
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


def request(exchange: "Exchange", body: bytes) -> bytes:
    """The head for the upstream, and what has come of the body, framed."""
    decision, endpoint, plan, length = exchange.decision, exchange.endpoint, exchange.plan, exchange.length
    assert decision is not None
    assert endpoint is not None
    lane = exchange.lane
    prepared = plan.departure(decision, lane)
    host = (lane.pool.keeps_host and plan.head.authority) or endpoint.authority
    ours = b""
    if decision.route.egress is not _NO_EGRESS:
        ours = exchange.table.injector.block(exchange.context, exchange.span_id, exchange.sampled)
    framing = b"Content-Length: %d\r\n" % length if length else _request_framing(plan.head, length)
    # One join, so that the bytes are copied once.
    return b"".join((prepared.start, host, prepared.lines(plan.values), ours, framing, b"\r\n", body))


def copy(exchange: "Exchange", lane: Lane, endpoint: Endpoint, span_id: bytes, length: int | None, body: bytes) -> bytes:
    """The exchange's request once more, for an endpoint of the shadow lane. ``length`` is that of the client's head."""
    decision, plan = exchange.decision, exchange.plan
    assert decision is not None
    prepared = plan.copied(decision, lane)
    host = (lane.pool.keeps_host and plan.head.authority) or endpoint.authority
    ours = b""
    if decision.route.egress is not _NO_EGRESS:
        ours = exchange.table.injector.block(exchange.context, span_id, exchange.sampled)
    framing = b"Content-Length: %d\r\n" % length if length else _request_framing(plan.head, length)
    return b"".join((prepared.start, host, prepared.lines(plan.values), ours, framing, b"\r\n", body))


def _request_framing(head: RequestHead, length: int | None) -> bytes:
    if length is None:
        return _CHUNKED
    framing = b"Content-Length: 0\r\n" if b"content-length" in head.fields.values else b""
    return framing + b"Connection: upgrade\r\nUpgrade: " + head.upgrade + b"\r\n" if head.upgrade else framing


def response(exchange: "Exchange", answer: ResponseHead, body: bytes, *, stays: bool, chunked: bool) -> bytes:
    """The head for the client, and what has come of the body. ``stays``: the connection may carry another request."""
    head = exchange.plan.head
    if chunked:
        framing = _CHUNKED
    elif answer.length and answer.length > 0:
        framing = b"Content-Length: %d\r\n" % answer.length
    else:
        framing = _bodiless_framing(answer, head)
    if not stays:
        framing += b"Connection: close\r\n"
    elif not head.version_1_1:
        framing += b"Connection: keep-alive\r\n"
    decision = exchange.decision
    if decision is not None and decision.hangs_on_trace and decision.route.session_cookie is not None:
        framing += _session_cookie(exchange, answer, decision.route.session_cookie)
    return b"".join((answer.block, _VIA_AND_TRACE, exchange.trace_id, b"\r\n", framing, b"\r\n", body))


def _is_for_everybody(cache_control: bytes) -> bool:
    """A shared cache may keep the answer (RFC 9111 5.2.2), and would give one session to whoever asks."""
    directives = [each.partition(b"=")[0].strip() for each in cache_control.lower().split(b",")]
    return b"public" in directives or b"s-maxage" in directives


def _session_cookie(exchange: "Exchange", answer: ResponseHead, cookie: SessionCookie) -> bytes:
    """So that the client keeps the session that this exchange was, and with it its lane."""
    assert exchange.decision is not None
    if exchange.decision.session_key != exchange.trace_id or _is_for_everybody(answer.values.get(b"cache-control", b"")):
        return b""
    secure = b"; Secure" if exchange.plan.scheme == b"https" else b""
    return b"Set-Cookie: %b=%b%b%b\r\n" % (cookie.name, exchange.trace_id, cookie.attributes, secure)


def _bodiless_framing(answer: ResponseHead, head: RequestHead) -> bytes:
    """What stands in a head without a body still describes the one there would be (RFC 9110 8.6), but for 204."""
    values = answer.values
    if answer.status == 204:
        return b""
    if b"content-length" in values:
        return b"Content-Length: " + values[b"content-length"] + b"\r\n"
    would_be_chunked = head.method == b"HEAD" and head.version_1_1 and b"transfer-encoding" in values
    return _CHUNKED if would_be_chunked else b""


def interim_head(answer: ResponseHead) -> bytes:
    return answer.block + _VIA + b"\r\n"


def switching_head(exchange: "Exchange", answer: ResponseHead, upgrade: bytes) -> bytes:
    ours = b"\r\nConnection: upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n"
    return answer.block + _VIA_AND_TRACE + exchange.trace_id + ours


def last_hop_response(head: RequestHead, trace_id: bytes) -> bytes:
    status = b"204 No Content" if head.method == b"OPTIONS" else b"405 Method Not Allowed\r\nContent-Length: 0"
    return b"HTTP/1.1 " + status + b"\r\nAllow: OPTIONS\r\nx-trace-id-ext: " + trace_id + b"\r\nConnection: close\r\n\r\n"

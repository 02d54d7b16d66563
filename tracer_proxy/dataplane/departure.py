"""Heads as they leave: other people's lines as they came, and one coherent set of ours.

What does not depend on the single request is prepared: at load (``Pool.header_block``, ``Lane.removed``, the injector) or once
for all requests with the same head (``plan.Departure``).
"""

from typing import TYPE_CHECKING

from tracer_proxy.routing.route import Egress
from tracer_proxy.routing.table import FORWARDED_FIELDS
from tracer_proxy.wire.request import RequestHead
from tracer_proxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange

_VIA = b"Via: 1.1 tracer-proxy\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


def request_head(exchange: "Exchange") -> bytes:
    """The head for the upstream, with its final empty line."""
    decision, endpoint, plan = exchange.decision, exchange.endpoint, exchange.plan
    assert decision is not None
    assert endpoint is not None
    head, egress = plan.head, decision.route.egress
    prepared = plan.departure(decision)
    host = head.authority if decision.lane.pool.keeps_host and head.authority else endpoint.authority
    return b"".join(
        (
            prepared.start,
            host,
            prepared.lines,
            b""
            if egress is Egress.NONE
            else exchange.table.injector.block(exchange.context, exchange.span_id, exchange.sampled),
            _forwarded(exchange) if egress is Egress.FULL else b"",
            prepared.painted,
            _request_framing(head, exchange.length),
            b"\r\n",
        )
    )


def _forwarded(exchange: "Exchange") -> bytes:
    """Who called, by what name. The same for every request of a connection, unless another proxy stands before this one."""
    downstream, head = exchange.downstream, exchange.plan.head
    if downstream.trusted and not FORWARDED_FIELDS.isdisjoint(head.fields.values):
        values = head.fields.values
        hops = b", ".join(filter(None, (values.get(b"x-forwarded-for"), downstream.peer)))
        scheme = values.get(b"x-forwarded-proto", b"http")
        return _forwarded_block(hops, scheme, values.get(b"x-forwarded-host", head.authority))
    if downstream.forwarded[0] != head.authority:
        downstream.forwarded = head.authority, _forwarded_block(downstream.peer, b"http", head.authority)
    return downstream.forwarded[1]


def _forwarded_block(hops: bytes, scheme: bytes, host: bytes) -> bytes:
    block = b"X-Forwarded-For: " + hops + b"\r\n" if hops else b""
    block += b"X-Forwarded-Proto: " + scheme + b"\r\n"
    return block + b"X-Forwarded-Host: " + host + b"\r\n" if host else block


def _request_framing(head: RequestHead, length: int | None) -> bytes:
    if length is None:
        return _CHUNKED
    if length or b"content-length" in head.fields.values:
        return b"Content-Length: %d\r\n" % length
    if head.upgrade:
        return b"Connection: upgrade\r\nUpgrade: " + head.upgrade + b"\r\n"
    return b""


def response_head(exchange: "Exchange", answer: ResponseHead, *, stays: bool, chunked: bool) -> bytes:
    """The head for the client, with its final empty line. ``stays``: the connection may carry another request."""
    head = exchange.plan.head
    if chunked:
        framing = _CHUNKED
    elif answer.length and answer.length > 0:
        framing = b"Content-Length: %d\r\n" % answer.length
    else:
        framing = _bodiless_framing(answer, head.method)
    if not stays:
        framing += b"Connection: close\r\n"
    elif not head.version_1_1:
        framing += b"Connection: keep-alive\r\n"
    return _answer_head(answer, b"x-trace-id-ext: " + exchange.trace_id + b"\r\n" + framing)


def _bodiless_framing(answer: ResponseHead, method: bytes) -> bytes:
    """What stands in a head without a body still describes the one there would be (RFC 9110 8.6), but for 204."""
    values = answer.fields.values
    if answer.status == 204:
        return b""
    if b"content-length" in values:
        return b"Content-Length: " + values[b"content-length"] + b"\r\n"
    return _CHUNKED if method == b"HEAD" and b"transfer-encoding" in values else b""


def interim_head(answer: ResponseHead) -> bytes:
    return _answer_head(answer, b"")


def switching_head(exchange: "Exchange", answer: ResponseHead, upgrade: bytes) -> bytes:
    ours = b"x-trace-id-ext: " + exchange.trace_id + b"\r\nConnection: upgrade\r\nUpgrade: " + upgrade + b"\r\n"
    return _answer_head(answer, ours)


def _answer_head(answer: ResponseHead, ours: bytes) -> bytes:
    return b"\r\n".join((answer.status_line, *answer.fields.lines, _VIA + ours, b""))


def last_hop_response(head: RequestHead, trace_id: bytes) -> bytes:
    status = b"204 No Content" if head.method == b"OPTIONS" else b"405 Method Not Allowed\r\nContent-Length: 0"
    return b"HTTP/1.1 " + status + b"\r\nAllow: OPTIONS\r\nx-trace-id-ext: " + trace_id + b"\r\nConnection: close\r\n\r\n"

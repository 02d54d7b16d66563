"""Heads as they leave: other people's lines as they came, and one coherent set of ours.

Choices that do not depend on the request are made at load (``Pool.header_block``, ``Lane.removed``, the injector).
"""

from typing import TYPE_CHECKING

from tracer_proxy.context.baggage import with_color
from tracer_proxy.routing.route import Egress
from tracer_proxy.routing.table import FORWARDED_FIELDS
from tracer_proxy.wire.request import RequestHead
from tracer_proxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange

_VIA_1_1 = b"Via: 1.1 tracer-proxy\r\n"
_VIA_1_0 = b"Via: 1.0 tracer-proxy\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


def request_head(exchange: "Exchange") -> bytes:
    """The head for the upstream, with its final empty line."""
    head, decision, endpoint = exchange.head, exchange.decision, exchange.endpoint
    assert decision is not None
    assert endpoint is not None
    route, lane = decision.route, decision.lane
    pool = lane.pool
    lines = head.fields.lines
    if lane.removed:
        lines = [line for line in lines if line.partition(b":")[0].lower() not in lane.removed]
    target = head.path if route.rewrite is None else route.path_out(head.path)
    if head.has_query:
        target += b"?" + head.query
    host = head.authority if pool.keeps_host and head.authority else endpoint.authority
    return b"\r\n".join(
        (
            head.method + b" " + target + b" HTTP/1.1\r\nHost: " + host,
            *lines,
            (pool.header_block + _VIA_1_1 if head.version_1_1 else pool.header_block + _VIA_1_0)
            + (b"" if route.egress is Egress.NONE else _ours(exchange, route.egress))
            + _request_framing(head),
            b"",
        )
    )


def _ours(exchange: "Exchange", egress: Egress) -> bytes:
    injector, decision = exchange.table.injector, exchange.decision
    block = injector.block(exchange.context, exchange.span_id, exchange.sampled)
    if egress is Egress.TRACE:
        return block
    assert decision is not None
    block += _forwarded(exchange)
    color, values = decision.color, exchange.head.fields.values
    if color:
        block += b"x-traffic-color: " + color + b"\r\n"
    if injector.writes_baggage and (color or b"baggage" in values):
        received = values.get(b"baggage", b"") if exchange.downstream.trusted else b""
        baggage = with_color(received, color)
        if baggage:
            block += b"baggage: " + baggage + b"\r\n"
    return block


def _forwarded(exchange: "Exchange") -> bytes:
    """Who called, by what name. The same for every request of a connection, unless another proxy stands before this one."""
    downstream, values = exchange.downstream, exchange.head.fields.values
    authority = exchange.head.authority
    if downstream.trusted and not FORWARDED_FIELDS.isdisjoint(values):
        hops = b", ".join(filter(None, (values.get(b"x-forwarded-for"), downstream.peer)))
        scheme = values.get(b"x-forwarded-proto", b"http")
        return _forwarded_block(hops, scheme, values.get(b"x-forwarded-host", authority))
    if downstream.forwarded[0] != authority:
        downstream.forwarded = authority, _forwarded_block(downstream.peer, b"http", authority)
    return downstream.forwarded[1]


def _forwarded_block(hops: bytes, scheme: bytes, host: bytes) -> bytes:
    block = b"X-Forwarded-For: " + hops + b"\r\n" if hops else b""
    block += b"X-Forwarded-Proto: " + scheme + b"\r\n"
    return block + b"X-Forwarded-Host: " + host + b"\r\n" if host else block


def _request_framing(head: RequestHead) -> bytes:
    if head.length is None:
        return _CHUNKED
    if head.length or b"content-length" in head.fields.values:
        return b"Content-Length: %d\r\n" % head.length
    if head.upgrade:
        return b"Connection: upgrade\r\nUpgrade: " + head.upgrade + b"\r\n"
    return b""


def response_head(exchange: "Exchange", answer: ResponseHead, *, stays: bool, chunked: bool) -> bytes:
    """The head for the client, with its final empty line. ``stays``: the connection may carry another request."""
    head = exchange.head
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
    return b"\r\n".join((answer.status_line, *answer.fields.lines, _VIA_1_1 + ours, b""))


def hops_are_used_up(head: RequestHead) -> bool:
    """RFC 9110 7.6.2, for the two methods it speaks of. Counts the hop down where there are more to come."""
    limit = head.fields.values.get(b"max-forwards") if head.method in (b"OPTIONS", b"TRACE") else None
    if limit is None or not limit.isdigit() or len(limit) > 9:
        return False
    if int(limit) == 0:
        return True
    lines = [line for line in head.fields.lines if line.partition(b":")[0].lower() != b"max-forwards"]
    head.fields.lines = [*lines, b"Max-Forwards: %d" % (int(limit) - 1)]
    return False


def last_hop_response(head: RequestHead, trace_id: bytes) -> bytes:
    status = b"204 No Content" if head.method == b"OPTIONS" else b"405 Method Not Allowed\r\nContent-Length: 0"
    return b"HTTP/1.1 " + status + b"\r\nAllow: OPTIONS\r\nx-trace-id-ext: " + trace_id + b"\r\nConnection: close\r\n\r\n"

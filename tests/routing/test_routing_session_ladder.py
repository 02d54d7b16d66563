"""The session key: the first rung that has one."""

import pytest
from routing_cases import TRACE_ID, decided, table_of

from tracer_proxy.routing.table import Table


def ladder(*rungs: str) -> Table:
    sticky = f"sticky: [{', '.join(rungs)}], " if rungs else ""
    return table_of(
        f"version: 1\nroutes: [{{name: all, {sticky}lanes: [{{name: only, pool: only}}]}}]\n"
        "pools: {only: {endpoints: [http://127.0.0.1:7001]}}\n"
    )


ALL = ladder("header:X-Session-Id", "'query:sid'", "'cookie:sid'", "baggage:session.id", "trace")


@pytest.mark.parametrize(
    ("target", "headers", "key", "source"),
    [
        ("/?sid=q", ["x-session-id: h", "cookie: sid=c", "baggage: session.id=b"], b"h", "header:x-session-id"),
        ("/?sid=q", ["cookie: sid=c", "baggage: session.id=b"], b"q", "query:sid"),
        ("/", ["cookie: sid=c", "baggage: session.id=b"], b"c", "cookie:sid"),
        ("/", ["baggage: a=b,session.id=b%20c;p=1"], b"b c", "baggage:session.id"),
        ("/", ["traceparent: 00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"], b"ab" * 16, "trace"),
        ("/", [], TRACE_ID, "trace"),
    ],
)
def test_the_first_hit_wins(target: str, headers: list[str], key: bytes, source: str) -> None:
    decision = decided(ALL, target, *headers)
    assert (decision.session_key, decision.rung.source) == (key, source)


def test_an_empty_value_is_no_key() -> None:
    decision = decided(ALL, "/?sid=", "x-session-id: ", "cookie: sid=; x=1", "baggage: session.id=")
    assert (decision.session_key, decision.rung.source) == (TRACE_ID, "trace")


def test_the_order_is_that_of_the_file() -> None:
    by = ladder("baggage:session.id", "header:x-session-id")
    assert decided(by, "/", "x-session-id: h", "baggage: session.id=b").session_key == b"b"


def test_the_trace_stands_last_even_when_it_is_not_listed() -> None:
    assert decided(ladder("header:x-session-id"), "/").rung.source == "trace"


def test_what_stands_behind_the_trace_is_never_reached() -> None:
    assert decided(ladder("trace", "header:x-session-id"), "/", "x-session-id: h").session_key == TRACE_ID


def test_the_default_is_the_header_then_baggage_then_the_trace() -> None:
    sources = [rung.source for rung in ladder().routes[0].ladder]
    assert sources == ["header:x-session-id", "baggage:session.id", "trace"]

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
    assert (decision.session_key, decision.session_source) == (key, source)


def test_an_empty_value_is_no_key() -> None:
    decision = decided(ALL, "/?sid=", "x-session-id: ", "cookie: sid=; x=1", "baggage: session.id=")
    assert (decision.session_key, decision.session_source) == (TRACE_ID, "trace")


def test_the_order_is_that_of_the_file() -> None:
    by = ladder("baggage:session.id", "header:x-session-id")
    assert decided(by, "/", "x-session-id: h", "baggage: session.id=b").session_key == b"b"


def test_the_trace_stands_last_even_when_it_is_not_listed() -> None:
    assert decided(ladder("header:x-session-id"), "/").session_source == "trace"


def test_what_stands_behind_the_trace_is_never_reached() -> None:
    assert decided(ladder("trace", "header:x-session-id"), "/", "x-session-id: h").session_key == TRACE_ID


def test_the_default_knows_every_way_to_name_a_session() -> None:
    sources = [rung.source for rung in ladder().routes[0].ladder]
    assert sources == [
        "header:x-session-id",
        "harness",
        "body",
        "header:mcp-session-id",
        "a2a",
        "query:session_id",
        "cookie:session_id",
        "baggage:session.id",
        "body:/user",
        "trace",
    ]


def test_ids_of_answers_count_where_answers_are_read() -> None:
    by = table_of(
        "version: 1\nroutes: [{name: all, llm: {api: openai}, lanes: [{name: only, pool: only}]}]\n"
        "pools: {only: {endpoints: [http://127.0.0.1:7001]}}\n"
    )
    assert "answer" in [rung.source for rung in by.routes[0].ladder]


CLAUDE_CODE = '{"metadata": {"user_id": "user_a_account_b_session_12345678-1234-1234-1234-123456789abc"}}'


@pytest.mark.parametrize(
    ("target", "headers", "body", "key", "source"),
    [
        ("/", ["x-claude-code-session-id: s"], None, b"s", "header:x-claude-code-session-id"),
        ("/", ["session_id: s", "user-agent: codex_cli_rs/1"], None, b"s", "header:session_id"),
        ("/", ["session_id: s"], None, TRACE_ID, "trace"),
        ("/", [], '{"metadata": {"session_id": "s"}, "user": "u"}', b"s", "body:/metadata/session_id"),
        ("/", [], '{"conversation": "s"}', b"s", "body:/conversation"),
        ("/", [], '{"conversation": {"id": "s"}}', b"s", "body:/conversation/id"),
        ("/", [], '{"session_id": 17}', b"17", "body:/session_id"),
        ("/", [], CLAUDE_CODE, b"12345678-1234-1234-1234-123456789abc", "body:/metadata/user_id"),
        ("/", [], '{"metadata": {"user_id": "just a user"}}', TRACE_ID, "trace"),
        ("/", ["mcp-session-id: s"], "{}", b"s", "header:mcp-session-id"),
        ("/", [], '{"params": {"message": {"contextId": "s"}}}', b"s", "body:/params/message/contextId"),
        ("/", [], '{"params": {"contextId": "s"}}', b"s", "body:/params/contextId"),
        ("/?session_id=s", [], None, b"s", "query:session_id"),
        ("/", ["cookie: session_id=s"], None, b"s", "cookie:session_id"),
        ("/", ["baggage: session.id=s"], '{"user": "u"}', b"s", "baggage:session.id"),
        ("/", [], '{"user": "s"}', b"s", "body:/user"),
        ("/", [], "[1, 2]", TRACE_ID, "trace"),
        ("/", [], "no json", TRACE_ID, "trace"),
        ("/", [], '{"user": null, "session_id": {"a": 1}}', TRACE_ID, "trace"),
    ],
)
def test_every_way_of_the_default(target: str, headers: list[str], body: str | None, key: bytes, source: str) -> None:
    decision = decided(ladder(), target, *headers, body=body.encode() if body is not None else None)
    assert (decision.session_key, decision.session_source) == (key, source)


def test_a_pointer_of_ones_own() -> None:
    by = ladder("'body:/a~1b/1/id'")
    assert decided(by, "/", body=b'{"a/b": [{}, {"id": "s"}]}').session_key == b"s"
    assert decided(by, "/", body=b'{"a/b": {"1": {"id": "s"}}}').session_key == b"s"
    assert decided(by, "/", body=b'{"a/b": [{"id": "s"}]}').session_source == "trace"


def test_a_key_goes_by_its_name_however_it_is_found() -> None:
    """The name is what is remembered of a session, so that it must be drawn by it as well."""
    by = ladder("header:x-session-id", "'query:sid'")
    long = "tenants/acme/" + "x" * 60
    keys = [decided(by, "/", f"x-session-id: {long}{end}").session_key for end in "ab"]
    assert keys[0] != keys[1]
    assert decided(by, f"/?sid={long}a").session_key == keys[0]
    assert decided(by, f"/?sid={keys[0].decode()}").session_key == keys[0]

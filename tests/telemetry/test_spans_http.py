"""HTTP attributes, names, status and the project's own attributes of both legs."""

import re
from urllib.parse import unquote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from span_cases import BEGAN, CALLER, CLIENT, OTHER, SERVER, TRACE, attempt, client_of, of, record, server_of, spans

from tracer_proxy.errors import VERDICTS, Kind, Side
from tracer_proxy.limits import ATTRIBUTE_CHARS_MAX, SPAN_NAME_CHARS_MAX
from tracer_proxy.telemetry.record import Link
from tracer_proxy.telemetry.redaction import redacted_query
from tracer_proxy.telemetry.spans import Kind as SpanKind
from tracer_proxy.telemetry.spans import SpanEvent, SpanLink, span_count

HTTP = ("http.", "url.", "network.", "server.", "client.", "user_agent.", "error.")


def test_inbound_leg() -> None:
    span = server_of(record(query="a=1&b"))
    assert of(span, *HTTP) == {
        "http.request.method": "POST",
        "http.request.body.size": 300,
        "http.response.body.size": 900,
        "http.response.status_code": 200,
        "http.route": "/openai",
        "url.scheme": "http",
        "url.path": "/openai/v1/chat/completions",
        "url.query": "a=1&b",
        "network.protocol.version": "1.1",
        "network.peer.address": "127.0.0.1",
        "network.peer.port": 50_123,
        "client.address": "127.0.0.1",
        "server.address": "localhost",
        "server.port": 8080,
        "user_agent.original": "OpenAI/Python 3",
    }
    assert (span.name, span.kind, span.is_parent_remote) == ("POST /openai", SpanKind.SERVER, True)
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE.decode(), SERVER.decode(), CALLER.decode())
    assert span.trace_state == "vendor=1"
    assert (span.start_ns, span.end_ns) == (round(BEGAN * 1e9), round((BEGAN + 1) * 1e9))


def test_outbound_leg() -> None:
    span = client_of(record(target="/v1/chat/completions?a=1"))
    assert of(span, *HTTP) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.full": "https://api.openai.com/v1/chat/completions?a=1",
        "network.protocol.version": "1.1",
        "network.peer.address": "192.0.2.7",
        "network.peer.port": 443,
        "server.address": "api.openai.com",
        "server.port": 443,
    }
    assert (span.name, span.kind, span.is_parent_remote) == ("POST", SpanKind.CLIENT, False)
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE.decode(), CLIENT.decode(), SERVER.decode())
    assert (span.start_ns, span.end_ns) == (round((BEGAN + 0.01) * 1e9), round((BEGAN + 0.9) * 1e9))


def test_what_is_not_known_is_left_out() -> None:
    bare = record(
        host="", client="", client_port=0, user_agent="", query="", http_route="", version="", status=0, parent_id=b""
    )
    span = server_of(bare)
    assert span.name == "POST"
    assert span.parent_id == ""
    assert of(span, "server.", "client.", "network.", "user_agent.", "url.query", "http.route", "http.response.status") == {}


@pytest.mark.parametrize("method", ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"])
def test_known_methods(method: str) -> None:
    server, client = spans(record(method=method))
    assert (server.name, client.name) == (f"{method} /openai", method)
    assert of(server, "http.request.method") == of(client, "http.request.method") == {"http.request.method": method}


@pytest.mark.parametrize("method", ["get", "PROPFIND", "X" * 10_000])
def test_unknown_methods_make_no_names(method: str) -> None:
    server, client = spans(record(method=method))
    assert (server.name, client.name) == ("HTTP /openai", "HTTP")
    for span in (server, client):
        assert span.attributes["http.request.method"] == "_OTHER"
        assert span.attributes["http.request.method_original"] == method[:ATTRIBUTE_CHARS_MAX]


@pytest.mark.parametrize(
    ("host", "scheme", "address", "port"),
    [
        ("example.com", "http", "example.com", 80),
        ("example.com", "https", "example.com", 443),
        ("example.com:9", "https", "example.com", 9),
        ("[::1]:9", "http", "::1", 9),
        ("[::1]", "http", "::1", 80),
        ("user:pass@example.com:9", "http", "example.com", 9),
        ("example.com:x", "http", "example.com", 80),
    ],
)
def test_server_address_is_as_the_caller_asked(host: str, scheme: str, address: str, port: int) -> None:
    span = server_of(record(host=host, scheme=scheme))
    assert of(span, "server.") == {"server.address": address, "server.port": port}


@pytest.mark.parametrize(
    ("host", "port", "scheme", "target", "url"),
    [
        ("127.0.0.1", 7001, "http", "/x", "http://127.0.0.1:7001/x"),
        ("::1", 7001, "http", "/x", "http://[::1]:7001/x"),
        ("h", 80, "http", "/x", "http://h/x"),
        ("h", 80, "https", "/x", "https://h:80/x"),
        ("/run/a.sock", 0, "http", "/x?y", "http+unix://%2Frun%2Fa.sock/x?y"),
        ("h", 80, "http", "*", "http://h"),
    ],
)
def test_url_of_an_endpoint(host: str, port: int, scheme: str, target: str, url: str) -> None:
    span = client_of(record(target=target, attempts=[attempt(host=host, port=port, scheme=scheme, peer="")]))
    assert span.attributes["url.full"] == url
    assert span.attributes["server.address"] == host
    assert of(span, "network.peer", "server.port") == ({"server.port": port} if port else {})


@pytest.mark.parametrize(
    "key",
    [
        "X-Amz-Signature",
        "X-Amz-Credential",
        "X-Amz-Security-Token",
        "AWSAccessKeyId",
        "Signature",
        "sig",
        "X-Goog-Signature",
        "key",
        "API_KEY",
        "subscription-key",
        "access_token",
        "%6bey",
    ],
)
def test_credentials_in_queries_are_never_shown(key: str) -> None:
    query = f"a=1&{key}=s3cret=x&b=2"
    server, client = spans(record(query=query, target=f"/v1?{query}"))
    assert server.attributes["url.query"] == f"a=1&{key}=REDACTED&b=2"
    assert client.attributes["url.full"] == f"https://api.openai.com/v1?a=1&{key}=REDACTED&b=2"


@given(st.text(alphabet="abk=&key%;+", max_size=40))
@example(";key==")
@example("akey=b")
def test_redaction_changes_nothing_else(query: str) -> None:
    before, after = re.split("[&;]", query), re.split("[&;]", redacted_query(query))
    assert len(before) == len(after)
    for pair, shown in zip(before, after, strict=True):
        name = pair.split("=")[0]
        assert shown == pair or (shown == name + "=REDACTED" and "key" in unquote_plus(name))


def test_no_attribute_is_endless() -> None:
    long = "x" * 60_000
    made = record(path="/" + long, query=long, user_agent=long, host=long, target="/" + long, method=long, session=long)
    for span in spans(made):
        assert all(len(value) <= ATTRIBUTE_CHARS_MAX for value in span.attributes.values() if isinstance(value, str))
        assert len(span.name) <= SPAN_NAME_CHARS_MAX


def status_of(**changes: object) -> tuple[bool, object, bool, object]:
    """Whether each leg failed, and its ``error.type``."""
    server, *clients = spans(record(**changes))
    client = clients[-1]
    return server.is_error, server.attributes.get("error.type"), client.is_error, client.attributes.get("error.type")


@pytest.mark.parametrize("status", [101, 200, 204, 302, 304])
def test_success_says_nothing(status: int) -> None:
    assert status_of(status=status, attempts=[attempt(status=status)]) == (False, None, False, None)


@pytest.mark.parametrize("status", [400, 401, 404, 429])
def test_4xx_is_an_error_of_who_asked(status: int) -> None:
    assert status_of(status=status, attempts=[attempt(status=status)]) == (False, None, True, str(status))


@pytest.mark.parametrize("status", [500, 503, 529])
def test_5xx_is_an_error_on_both_legs(status: int) -> None:
    assert status_of(status=status, attempts=[attempt(status=status)]) == (True, str(status), True, str(status))


@pytest.mark.parametrize("kind", [kind for kind, (_, side) in VERDICTS.items() if side is not Side.CLIENT])
def test_errors_of_the_proxy_and_of_upstreams(kind: Kind) -> None:
    made = record(
        status=VERDICTS[kind][0], error=kind.value, error_message="It broke.", attempts=[attempt(status=None, error=kind.value)]
    )
    server, client = spans(made)
    for span in (server, client):
        assert (span.is_error, span.attributes["error.type"], span.description) == (True, kind.value, "It broke.")
    assert server.attributes["tracer_proxy.error"] == kind.value
    assert server.attributes["tracer_proxy.error.side"] == VERDICTS[kind][1].value
    assert "http.response.status_code" not in client.attributes


@pytest.mark.parametrize("kind", [Kind.MALFORMED, Kind.NO_ROUTE, Kind.SLOW_REQUEST, Kind.BODY_TOO_LARGE, Kind.HEAD_TOO_LARGE])
def test_a_callers_mistake_is_told_and_is_no_error(kind: Kind) -> None:
    (span,) = spans(record(status=VERDICTS[kind][0], error=kind.value, error_message="No.", attempts=[]))
    assert (span.is_error, span.description, "error.type" in span.attributes) == (False, "", False)
    assert span.attributes["tracer_proxy.error"] == kind.value


def test_an_answer_that_broke_off_is_an_error_despite_its_status() -> None:
    broken = "upstream_closed"
    assert status_of(error=broken, attempts=[attempt(error=broken)]) == (True, broken, True, broken)
    assert status_of(status=404, error=broken, attempts=[attempt(status=404, error=broken)]) == (True, broken, True, broken)


def test_a_caller_that_left_is_no_error() -> None:
    made = record(status=499, error="client_gone", attempts=[attempt(error="client_gone")])
    server, client = spans(made)
    assert (server.is_error, client.is_error) == (False, False)
    assert "error.type" not in server.attributes | client.attributes
    assert "http.response.status_code" not in server.attributes
    assert server.attributes["tracer_proxy.client_gone"] is True
    assert client.attributes["http.response.status_code"] == 200


def test_a_status_code_needs_no_description() -> None:
    assert [span.description for span in spans(record(status=500, attempts=[attempt(status=500)]))] == ["", ""]


def test_each_attempt_is_a_span_of_its_own() -> None:
    refused = attempt(span_id=OTHER, status=None, error="upstream_unreachable", peer="", first_byte=None)
    made = record(
        attempts=[refused, attempt(span_id=b"5" * 16, status=503), attempt(pool="own-model", host="127.0.0.1", port=11434)]
    )
    server, first, second, third = spans(made)
    assert [span.attributes.get("http.request.resend_count") for span in (first, second, third)] == [None, 1, 2]
    assert [span.attributes.get("tracer_proxy.failover") for span in (first, second, third)] == [None, None, True]
    assert [span.attributes.get("error.type") for span in (first, second, third)] == ["upstream_unreachable", "503", None]
    assert [span.description for span in (first, second, third)] == ["", "", ""]
    assert not server.is_error
    assert len({span.span_id for span in (server, first, second, third)}) == 4
    assert {span.parent_id for span in (first, second, third)} == {server.span_id}
    assert span_count(made) == 4


def test_own_attributes() -> None:
    server, client = spans(record(lane="stable", lane_intended="canary", external_id=b"req-7", joined_by="tool_call"))
    assert of(server, "tracer_proxy.", "session.") == {
        "tracer_proxy.color": "canary",
        "tracer_proxy.color.source": "baggage",
        "tracer_proxy.route": "openai",
        "tracer_proxy.lane": "stable",
        "tracer_proxy.lane.intended": "canary",
        "tracer_proxy.session.source": "header:x-session-id",
        "tracer_proxy.config.hash": "abc123",
        "tracer_proxy.joined_by": "tool_call",
        "tracer_proxy.external_id": "req-7",
        "tracer_proxy.worker": 1,
        "session.id": "s-1",
    }
    assert of(client, "tracer_proxy.", "session.") == {
        "tracer_proxy.color": "canary",
        "tracer_proxy.route": "openai",
        "tracer_proxy.lane": "stable",
        "tracer_proxy.pool": "openai",
        "tracer_proxy.endpoint": "https://api.openai.com:443",
        "tracer_proxy.connection.reused": True,
        "session.id": "s-1",
    }


def test_a_lane_that_was_meant_says_so_once() -> None:
    assert "tracer_proxy.lane.intended" not in server_of(record()).attributes


def test_streams_say_when_they_began_and_ended() -> None:
    server, client = spans(record(is_stream=True, events=12))
    assert server.events == [
        SpanEvent("tracer_proxy.first_byte", round((BEGAN + 0.5) * 1e9), {}),
        SpanEvent("tracer_proxy.last_byte", round((BEGAN + 1) * 1e9), {"tracer_proxy.stream.events": 12}),
    ]
    assert [event.at_ns for event in client.events] == [round((BEGAN + 0.5) * 1e9), round((BEGAN + 0.9) * 1e9)]


def test_what_is_no_stream_has_no_events() -> None:
    assert [span.events for span in spans(record())] == [[], []]
    nothing_came = record(is_stream=True, first_byte=None, attempts=[attempt(first_byte=None)])
    assert [span.events for span in spans(nothing_came)] == [[], []]


def test_links_say_why() -> None:
    linked = record(links=[Link(b"a" * 32, b"b" * 16, "previous_turn"), Link(b"c" * 32, b"d" * 16, "conflict")])
    assert server_of(linked).links == [
        SpanLink("a" * 32, "b" * 16, {"tracer_proxy.link.reason": "previous_turn"}),
        SpanLink("c" * 32, "d" * 16, {"tracer_proxy.link.reason": "conflict"}),
    ]
    assert client_of(linked).links == []


def test_no_span_ends_before_it_began() -> None:
    backwards = record(ended=BEGAN - 1, attempts=[attempt(ended=BEGAN - 1)])
    assert all(span.end_ns == span.start_ns for span in spans(backwards))

"""The line of an exchange: names as OpenTelemetry has them, everything that is known, and never a secret."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_cases import BEGAN, SECRET, answered, asked, attempt, model_call, record, turn

from tracer_proxy.genai.answered import Usage
from tracer_proxy.genai.rpc import RpcAnswered, RpcAsked
from tracer_proxy.limits import LOG_VALUE_CHARS_MAX
from tracer_proxy.telemetry.exchange_detail import detail_of
from tracer_proxy.telemetry.exchange_log import line_of
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.redaction import redacted_query
from tracer_proxy.telemetry.spans import SpanOptions, spans_of


def test_an_exchange_with_an_agent() -> None:
    assert line_of(record()) == {
        "time": "2026-01-01T00:00:00.000000Z",
        "level": "info",
        "event": "exchange",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "duration_s": 2.5,
        "first_byte_s": 2.0,
        "http.request.method": "POST",
        "url.scheme": "http",
        "url.path": "/agents/planner/run",
        "url.query": "city=Oslo&api_key=REDACTED",
        "http.route": "/agents/planner",
        "http.response.status_code": 200,
        "http.request.body.size": 27,
        "http.response.body.size": 310,
        "network.protocol.version": "1.1",
        "server.address": "agents.test",
        "server.port": 8080,
        "client.address": "127.0.0.1",
        "user_agent.original": "curl/8.5",
        "session.id": "alice",
        "tracer_proxy.route": "planner",
        "tracer_proxy.lane": "canary",
        "tracer_proxy.color": "canary",
        "tracer_proxy.color.source": "lane",
        "tracer_proxy.pool": "planner-v2",
        "tracer_proxy.endpoint": "http://127.0.0.1:7002",
        "tracer_proxy.attempts": 1,
        "tracer_proxy.session.source": "header:x-session-id",
        "tracer_proxy.joined_by": "new",
        "tracer_proxy.sampled": True,
        "tracer_proxy.config.hash": "0123456789ab",
        "tracer_proxy.worker": 1,
    }


def test_a_call_of_a_model() -> None:
    usage = Usage(input=123, output=45, cache_read=100, cache_creation=3, reasoning=0)
    told = answered(usage=usage, first_chunk_at=BEGAN + 0.301, parameters={"openai.response.service_tier": "default"})
    line = line_of(model_call(1, 0.2, asked=asked(stream=True), answered=told))
    found = {name: value for name, value in line.items() if name.startswith(("gen_ai.", "openai."))}
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-mini-2026",
        "gen_ai.response.finish_reasons": ["tool_calls"],
        "gen_ai.response.time_to_first_chunk": 0.1,
        "gen_ai.usage.input_tokens": 123,
        "gen_ai.usage.output_tokens": 45,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.cache_creation.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "openai.api.type": "chat_completions",
        "openai.response.service_tier": "default",
    }
    assert line["parent_id"] == "00f067aa0ba902b7"
    assert line["tracer_proxy.endpoint"] == "https://api.openai.com:443"


@pytest.mark.parametrize(
    ("profile", "names"),
    [("v1.41", {"cache_creation"}), ("genai-dev", {"cache_write"}), ("dup", {"cache_creation", "cache_write"})],
)
def test_the_profile_names_tokens(profile: str, names: set[str]) -> None:
    line = line_of(model_call(1, 0, answered=answered(usage=Usage(cache_creation=7))), profile=profile)
    assert {name.split(".")[2] for name, value in line.items() if value == 7} == names


CALLED = RpcAsked("mcp", "tools/call", "7", "look", "", "", b"", "2026-07-28", "", "", "", b"", b"", b"", {"a": SECRET})


@pytest.mark.parametrize(
    ("changes", "error", "level"),
    [
        ({"status": 404}, None, "info"),
        ({"status": 404, "error": "no_route", "attempts": []}, None, "info"),
        ({"status": 503}, "503", "warning"),
        ({"status": 502, "error": "upstream_unreachable"}, "upstream_unreachable", "warning"),
        ({"status": 499, "error": "client_gone"}, None, "info"),
        ({"status": 429, "asked": asked(), "answered": answered(error="rate_limit_exceeded")}, None, "warning"),
        ({"rpc_asked": CALLED, "rpc_answered": RpcAnswered("-32602", "no", False, "", "", "", "", "")}, "-32602", "warning"),
        ({"rpc_asked": CALLED, "rpc_answered": RpcAnswered("", "", True, "", "", "", "", "")}, "tool_error", "warning"),
        ({"rpc_answered": RpcAnswered("-32600", "no", False, "", "", "", "", "")}, "-32600", "warning"),
    ],
)
def test_what_is_an_error(changes: dict[str, Any], error: str | None, level: str) -> None:
    line = line_of(record(**changes))
    assert (line.get("error.type"), line["level"]) == (error, level)


def test_the_error_of_the_last_attempt_stands_beside_that_of_the_exchange() -> None:
    limited = attempt(b"1" * 16, BEGAN, BEGAN + 1, status=429)
    refused = attempt(b"2" * 16, BEGAN + 1, BEGAN + 2, port=7003, pool="spare", status=None, error="upstream_unreachable")
    well = attempt(b"3" * 16, BEGAN + 2, BEGAN + 3, port=7004)
    model = {"asked": asked(), "answered": answered(error="rate_limit_exceeded")}
    for attempts, error, endpoint in (
        ([limited], "rate_limit_exceeded", "http://127.0.0.1:7002"),
        ([limited, refused], "upstream_unreachable", "http://127.0.0.1:7003"),
    ):
        line = line_of(record(attempts=attempts, **model))
        assert (line["tracer_proxy.call.error"], line["tracer_proxy.endpoint"]) == (error, endpoint)
        assert (line["tracer_proxy.attempts"], line["gen_ai.request.model"]) == (len(attempts), "gpt-4o-mini")
    line = line_of(record(attempts=[refused, well]))
    assert "tracer_proxy.call.error" not in line
    assert (line["tracer_proxy.endpoint"], line["tracer_proxy.pool"]) == ("http://127.0.0.1:7004", "planner-v2")


def test_a_client_that_left_got_no_status() -> None:
    line = line_of(record(status=499, error="client_gone", error_message="The client closed the connection."))
    assert "http.response.status_code" not in line
    assert line["tracer_proxy.client_gone"] is True
    assert line["tracer_proxy.error.message"] == "The client closed the connection."


def test_a_tool_that_is_called_over_mcp() -> None:
    line = line_of(record(rpc_asked=CALLED, rpc_answered=RpcAnswered("", "", False, "", "", "", "2025-11-25", "s-1", SECRET)))
    assert line["mcp.method.name"] == "tools/call"
    assert (line["gen_ai.operation.name"], line["gen_ai.tool.name"]) == ("execute_tool", "look")
    assert (line["mcp.protocol.version"], line["mcp.session.id"]) == ("2025-11-25", "s-1")
    assert SECRET not in json.dumps(line)


def test_what_was_said_to_a_model_is_left_out_also_where_it_is_captured() -> None:
    said = [{"role": "user", "parts": [{"type": "text", "content": SECRET}]}]
    told = asked(content={"messages": said, "system": said, "tools": said})
    made = model_call(1, 0.2, asked=told, answered=answered(content=said))
    assert SECRET in str(spans_of(made, SpanOptions()))
    assert SECRET not in json.dumps(line_of(made))


def test_an_agent_that_is_asked_over_a2a() -> None:
    sent = RpcAsked("a2a", "message/send", "1", "", "", "", b"", "", "ctx-1", "m-1", "", b"", b"", b"")
    line = line_of(record(rpc_asked=sent, rpc_answered=RpcAnswered("", "", False, "t-1", "completed", "", "", "")))
    assert (line["a2a.method.name"], line["a2a.message.id"]) == ("SendMessage", "m-1")
    assert (line["gen_ai.conversation.id"], line["a2a.task.id"]) == ("ctx-1", "t-1")
    assert line["a2a.task.state"] == "TASK_STATE_COMPLETED"


def test_a_lane_that_stands_in_tells_whom_for() -> None:
    line = line_of(record(lane="stable", lane_intended="canary"))
    assert (line["tracer_proxy.lane"], line["tracer_proxy.lane.intended"]) == ("stable", "canary")


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("agents.test", "agents.test", 80),
        ("[::1]:8080", "::1", 8080),
        ("[::1]", "::1", 80),
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("user:word@agents.test:1", "agents.test", 1),
        ("", None, None),
    ],
)
def test_the_host_is_taken_apart(host: str, address: str | None, port: int | None) -> None:
    line = line_of(record(host=host))
    assert (line.get("server.address"), line.get("server.port")) == (address, port)


@pytest.mark.parametrize(
    ("scheme", "host", "port", "shown"),
    [
        ("http", "127.0.0.1", 80, "http://127.0.0.1:80"),
        ("https", "::1", 8443, "https://[::1]:8443"),
        ("unix", "/run/agent.sock", 0, "unix:/run/agent.sock"),
    ],
)
def test_endpoints_are_written_with_their_port(scheme: str, host: str, port: int, shown: str) -> None:
    tried = attempt(b"1" * 16, BEGAN, BEGAN + 1, scheme=scheme, host=host, port=port)
    assert line_of(record(attempts=[tried]))["tracer_proxy.endpoint"] == shown


def test_the_line_says_what_the_spans_say() -> None:
    """Under the same names; what is the log's own is told apart."""
    made = model_call(1, 0.2, status=502, error="upstream_closed", error_message="It closed.")
    server, client = spans_of(made, SpanOptions())
    own = {"time", "level", "event", "trace_id", "span_id", "parent_id", "duration_s", "first_byte_s"}
    own |= {f"tracer_proxy.{name}" for name in ("attempts", "sampled", "call.error", "error.message")}
    said = client.attributes | server.attributes
    for name, value in line_of(made).items():
        assert name in own or said[name] == value, name


def test_clocks_that_are_set_back_give_no_negative_times() -> None:
    line = line_of(record(ended=BEGAN - 1, first_byte=None))
    assert line["duration_s"] == 0
    assert "first_byte_s" not in line


def test_long_texts_are_cut() -> None:
    line = line_of(record(user_agent="x" * 60_000, path="/" + "é" * 60_000))
    assert len(str(line["user_agent.original"])) == len(str(line["url.path"])) == LOG_VALUE_CHARS_MAX


@pytest.mark.parametrize(
    "name",
    [
        "key", "api_key", "apikey", "X-API-KEY", "access_token", "token", "client_secret", "password", "Signature", "sig",
        "X-Amz-Credential", "X-Amz-Date", "X-Goog-Signature", "AWSAccessKeyId", "code", "%6bey", "k%65y", "authorization",
    ],
)  # fmt: skip
def test_values_with_telling_names_are_never_shown(name: str) -> None:
    for query in (f"{name}={SECRET}", f"a=1&{name}={SECRET}&b=2", f"a=1;{name}={SECRET}", f"{name}=a={SECRET}"):
        shown = redacted_query(query)
        assert SECRET not in shown
        assert f"{name}=REDACTED" in shown


def test_other_values_are_shown() -> None:
    for query in ("", "a=1&b=2", "design=x", "q=my+key", "zipcode=1", "key", "key=", "a=b=c", "&&=;"):
        assert redacted_query(query) == query


@given(st.text(max_size=60), st.sampled_from(["&", ";"]))
def test_a_key_is_found_wherever_it_stands(rest: str, border: str) -> None:
    assert SECRET not in redacted_query(f"{rest}{border}key={SECRET}")
    assert SECRET not in redacted_query(f"key={SECRET}{border}{rest}")


def test_details_hold_what_makes_a_tree_and_no_secret() -> None:
    _, second, whole = (detail_of(each) for each in turn())
    assert [tried["span_id"] for tried in second["attempts"]] == ["00000000000000b3", "00000000000000b2"]
    assert [tried["status"] for tried in second["attempts"]] == [503, 200]
    (run,) = second["tools"]
    assert (run["parent_id"], run["handed_out_by"], run["tool"]) == ("00f067aa0ba902b7", "00000000000000b1", "look")
    assert (run["start_s"], run["duration_s"]) == (BEGAN + 0.7, 0.5)
    assert whole["links"] == [{"trace_id": "f" * 32, "span_id": "e" * 16, "reason": "previous_turn"}]
    assert whole["target"] == "/agents/planner/run?city=Oslo&api_key=REDACTED"
    assert SECRET not in json.dumps([second, whole])


@given(st.builds(record, path=st.text(), query=st.text(), host=st.text(), error=st.text(), status=st.integers(0, 999)))
def test_every_record_becomes_one_line(made: Record) -> None:
    try:
        line = msgspec.json.encode(detail_of(made))
    except UnicodeEncodeError:
        return  # a lone surrogate, which no record from a worker holds
    assert b"\n" not in line
    assert json.loads(line)["event"] == "exchange"

"""The tree that the console shows."""

import io

import pytest
from span_cases import CALLER, OTHER, answered, asked, attempt, llm_record, record, spans, tool_run

from tracer_proxy.control.export import console
from tracer_proxy.control.export.console import ConsoleSink, tree
from tracer_proxy.telemetry.spans import SpanData


def shown(*batches: list[SpanData]) -> str:
    out = io.StringIO()
    sink = ConsoleSink(to=out)
    for batch in batches:
        sink.export(batch)
    return out.getvalue()


def test_a_trace_as_a_tree() -> None:
    made = llm_record(
        parent_id=b"",
        attempts=[attempt(span_id=OTHER, status=None, error="upstream_unreachable"), attempt()],
        tools=[tool_run()],
    )
    assert shown(spans(made)).splitlines() == [
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "└─ POST /openai  +2000 ms  took 1000.0 ms  200  lane stable  colour canary  session s-1",
        "   ├─ execute_tool get_weather  +0 ms  took 2000.0 ms  inferred",
        "   ├─ POST  +2010 ms  took 890.0 ms  error upstream_unreachable  to https://api.openai.com:443",
        "   └─ chat gpt-4o  +2010 ms  took 890.0 ms  200  to https://api.openai.com:443  120 → 45 tokens",
    ]


def test_what_belongs_together_is_shown_together_when_the_root_has_ended() -> None:
    """An agent's call of a model ends before the call of the agent does."""
    inner = spans(llm_record())
    outer = spans(record(span_id=b"a" * 16, parent_id=b"", attempts=[attempt(span_id=CALLER)]))
    assert shown(inner) == ""
    lines = shown(inner, outer).splitlines()[1:]
    assert [line.partition("─ ")[2].split("  ")[0] for line in lines] == ["POST /openai", "POST", "POST /openai", "chat gpt-4o"]
    assert [line.index("─") for line in lines] == [1, 4, 7, 10]


def test_a_trace_whose_root_is_elsewhere_is_shown_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    sink = ConsoleSink(to=out)
    sink.export(spans(record()))
    sink.tick()
    assert out.getvalue() == ""
    monkeypatch.setattr(console, "CONSOLE_WAIT_S", 0.0)
    sink.tick()
    assert out.getvalue().count("\n") == 3
    sink.tick()
    sink.close()
    assert out.getvalue().count("\n") == 3


def test_it_does_not_wait_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "CONSOLE_SPANS_MAX", 3)
    assert shown(spans(record())) == ""
    assert shown(spans(record()), spans(record(trace_id=b"b" * 32))).count("trace ") == 2


def test_closing_shows_what_waits() -> None:
    out = io.StringIO()
    sink = ConsoleSink(to=out)
    sink.export(spans(record()))
    sink.close()
    assert out.getvalue().count("\n") == 3


def test_names_from_outside_cannot_steer_the_terminal() -> None:
    made = llm_record(asked=asked(model="gpt\x1b[2J\n4"), answered=answered(), session="\x07s", parent_id=b"")
    text = shown(spans(made))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.count("\n") == 3


def test_a_span_id_that_comes_twice_is_shown_once() -> None:
    server, client = spans(record())
    client.span_id, client.parent_id = server.span_id, server.span_id
    assert len(list(tree(server.trace_id, [server, client]))) == 2


def test_what_went_wrong_is_said() -> None:
    gone = record(status=499, error="client_gone", parent_id=b"", attempts=[])
    assert "the client left" in shown(spans(gone))
    broken = record(status=502, error="upstream_unreachable", error_message="No way.", parent_id=b"", attempts=[])
    assert "502  error upstream_unreachable: No way." in shown(spans(broken))
    elsewhere = record(lane_intended="canary", parent_id=b"")
    assert "lane stable  instead of canary" in shown(spans(elsewhere))


def test_a_tree_without_its_root_says_so() -> None:
    whole, part = spans(record(parent_id=b"")), spans(record())
    assert next(tree(whole[0].trace_id, whole)) == f"trace {whole[0].trace_id}"
    assert next(tree(part[0].trace_id, part)) == f"trace {part[0].trace_id}, a part of it"

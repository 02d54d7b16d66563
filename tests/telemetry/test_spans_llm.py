"""GenAI attributes by profile, inferred runs of tools, and captured content."""

import json
import re

import pytest
from span_cases import BEGAN, OTHER, SERVER, TRACE, answered, asked, attempt, client_of, llm_record, of, record, spans, tool_run

from tracer_proxy.genai.answered import Usage
from tracer_proxy.telemetry.spans import Kind, SpanLink
from tracer_proxy.telemetry.spans.names import PROFILES

GENAI = ("gen_ai.", "openai.", "llm.")
CREATION, WRITE = "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"
MESSAGES = [{"role": "user", "parts": [{"type": "text", "content": "My card is 4111 1111."}]}]
OUTPUT = [{"role": "assistant", "parts": [{"type": "text", "content": "Card 4111 1111 noted."}], "finish_reason": "stop"}]


def test_a_call_of_a_model() -> None:
    server, client = spans(llm_record())
    assert (client.name, client.kind) == ("chat gpt-4o", Kind.CLIENT)
    assert of(client, *GENAI) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.stop_sequences": ["end"],
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 45,
        "gen_ai.usage.cache_read.input_tokens": 100,
        CREATION: 7,
        "gen_ai.usage.reasoning.output_tokens": 30,
        "llm.token_count.completion_details.reasoning": 30,
        "openai.api.type": "chat_completions",
        "openai.response.service_tier": "default",
    }
    assert server.name == "POST /openai"
    assert of(server, *GENAI) == {}


@pytest.mark.parametrize(
    ("profile", "written"),
    [("v1.41", {CREATION: 7}), ("genai-dev", {WRITE: 7}), ("dup", {CREATION: 7, WRITE: 7})],
)
def test_tokens_put_into_a_cache_by_profile(profile: str, written: dict[str, int]) -> None:
    assert of(client_of(llm_record(), profile=profile), "gen_ai.usage.cache_creation", "gen_ai.usage.cache_write") == written


@pytest.mark.parametrize(("profile", "kind"), [("v1.41", float), ("genai-dev", int), ("dup", float)])
def test_top_k_by_profile(profile: str, kind: type) -> None:
    made = llm_record(asked=asked(parameters={"gen_ai.request.top_k": 40.0}))
    top_k = client_of(made, profile=profile).attributes["gen_ai.request.top_k"]
    assert top_k == 40
    assert type(top_k) is kind


@pytest.mark.parametrize(("profile", "told"), [("v1.41", None), ("genai-dev", "resp_1"), ("dup", "resp_1")])
def test_previous_response_by_profile(profile: str, told: str | None) -> None:
    made = llm_record(asked=asked(api="responses", previous_response_id="resp_1"))
    attributes = client_of(made, profile=profile).attributes
    assert attributes.get("gen_ai.request.previous_response.id") == told
    assert attributes["openai.api.type"] == "responses"


@pytest.mark.parametrize(("profile", "has"), [("v1.41", True), ("genai-dev", False), ("dup", True)])
def test_finish_reason_of_a_message_by_profile(profile: str, has: bool) -> None:
    made = llm_record(answered=answered(content=OUTPUT))
    (message,) = json.loads(str(client_of(made, profile=profile).attributes["gen_ai.output.messages"]))
    assert ("finish_reason" in message) is has


@pytest.mark.parametrize(("profile", "told"), [("v1.41", None), ("genai-dev", "conv_1"), ("dup", "conv_1")])
def test_conversation_of_a_tool_by_profile(profile: str, told: str | None) -> None:
    made = llm_record(asked=asked(conversation_id="conv_1"), tools=[tool_run()])
    assert spans(made, profile=profile)[-1].attributes.get("gen_ai.conversation.id") == told


def test_profiles_name_their_schema() -> None:
    assert PROFILES["v1.41"].schema_url == "https://opentelemetry.io/schemas/1.41.0"
    assert PROFILES["genai-dev"].schema_url == "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"


def test_what_was_not_said_is_left_out() -> None:
    empty = answered(id="", model="", finish_reasons=(), usage=Usage(), parameters={})
    span = client_of(llm_record(asked=asked(model="", parameters={}), answered=empty))
    assert span.name == "chat"
    assert of(span, *GENAI) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "openai.api.type": "chat_completions",
    }


def test_no_tokens_is_something_else_than_not_counted() -> None:
    span = client_of(llm_record(answered=answered(usage=Usage(input=0, output=None))))
    assert of(span, "gen_ai.usage.") == {"gen_ai.usage.input_tokens": 0}


def test_another_provider_has_no_openai_attributes() -> None:
    made = llm_record(
        attempts=[attempt(host="api.anthropic.com")],
        asked=asked(parameters={"openai.request.service_tier": "flex"}),
    )
    span = client_of(made)
    assert span.attributes["gen_ai.provider.name"] == "anthropic"
    assert of(span, "openai.") == {}


def test_time_to_first_chunk_counts_from_the_attempt() -> None:
    made = llm_record(asked=asked(stream=True), answered=answered(first_chunk_at=BEGAN + 0.51), is_stream=True)
    attributes = client_of(made).attributes
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("of_request", "of_answer", "told"), [("conv_1", "", "conv_1"), ("", "conv_2", "conv_2"), ("", "", None)]
)
def test_a_conversation_is_never_made_up(of_request: str, of_answer: str, told: str | None) -> None:
    made = llm_record(asked=asked(conversation_id=of_request), answered=answered(conversation_id=of_answer), session="s-1")
    span = client_of(made)
    assert span.attributes.get("gen_ai.conversation.id") == told
    assert span.attributes["session.id"] == "s-1"


def test_only_the_attempt_that_was_answered_counts_tokens() -> None:
    failed = attempt(span_id=OTHER, status=503)
    _, first, second = spans(llm_record(attempts=[failed, attempt()]))
    assert (first.name, second.name) == ("POST", "chat gpt-4o")
    assert of(first, *GENAI) == {}


def test_a_call_that_nobody_answered_says_what_was_asked() -> None:
    unreachable = attempt(status=None, error="upstream_unreachable", first_byte=None)
    made = llm_record(status=502, error="upstream_unreachable", answered=None, attempts=[unreachable])
    span = client_of(made)
    assert span.name == "chat gpt-4o"
    assert span.attributes["gen_ai.request.model"] == "gpt-4o"
    assert (span.is_error, span.attributes["error.type"]) == (True, "upstream_unreachable")


def test_a_providers_code_names_the_error() -> None:
    limited = llm_record(status=429, attempts=[attempt(status=429)], answered=answered(error="rate_limit_exceeded"))
    assert client_of(limited).attributes["error.type"] == "rate_limit_exceeded"
    in_a_stream = llm_record(answered=answered(error="overloaded_error"))
    span = client_of(in_a_stream)
    assert (span.is_error, span.attributes["error.type"]) == (True, "overloaded_error")


def test_an_inferred_run_of_a_tool() -> None:
    span = spans(llm_record(tools=[tool_run()]))[-1]
    assert (span.name, span.kind, span.is_error) == ("execute_tool get_weather", Kind.INTERNAL, False)
    assert (span.trace_id, span.parent_id) == (TRACE.decode(), SERVER.decode())
    assert (span.start_ns, span.end_ns) == (round((BEGAN - 2) * 1e9), round(BEGAN * 1e9))
    assert of(span, "gen_ai.", "tracer_proxy.inferred", "session.") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "get_weather",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "call_1",
        "tracer_proxy.inferred": True,
        "session.id": "s-1",
    }
    assert span.links == [SpanLink(TRACE.decode(), OTHER.decode(), {"tracer_proxy.link.reason": "handed_out"})]


def test_a_tool_that_failed() -> None:
    span = spans(llm_record(tools=[tool_run(failed=True)]))[-1]
    assert (span.is_error, span.attributes["error.type"]) == (True, "tool_error")


def test_a_tool_without_name_or_id() -> None:
    span = spans(llm_record(tools=[tool_run(tool="", call_id="", handed_out_by=b"")]))[-1]
    assert (span.name, span.links) == ("execute_tool", [])
    assert of(span, "gen_ai.tool.name", "gen_ai.tool.call") == {}


CONTENT = {
    "messages": MESSAGES,
    "system": [{"type": "text", "content": "Be brief."}],
    "tools": [{"type": "function", "name": "pay", "parameters": {"type": "object"}}],
}


def test_content_is_json_where_it_was_captured() -> None:
    span = client_of(llm_record(asked=asked(content=CONTENT), answered=answered(content=OUTPUT)))
    assert json.loads(str(span.attributes["gen_ai.input.messages"])) == MESSAGES
    assert json.loads(str(span.attributes["gen_ai.system_instructions"])) == CONTENT["system"]
    assert json.loads(str(span.attributes["gen_ai.tool.definitions"])) == CONTENT["tools"]
    assert json.loads(str(span.attributes["gen_ai.output.messages"])) == OUTPUT


def test_there_is_no_content_by_default() -> None:
    every = [name for span in spans(llm_record(tools=[tool_run()])) for name in span.attributes]
    assert not [name for name in every if "messages" in name or "instructions" in name or "definitions" in name]


def test_content_is_redacted_everywhere_and_stays_json() -> None:
    call = {"type": "tool_call", "name": "pay", "arguments": {"card": ["4111 1111"], "amount": 4}}
    said = [*MESSAGES, {"role": "assistant", "parts": [call]}]
    made = llm_record(
        asked=asked(content={"messages": said, "system": [], "tools": []}),
        answered=answered(content=OUTPUT),
        tools=[tool_run(result="paid with 4111 1111")],
    )
    _, client, tool = spans(made, redact=[re.compile(r"\d{4} \d{4}")])
    shown = json.loads(str(client.attributes["gen_ai.input.messages"]))
    assert shown[0]["parts"][0]["content"] == "My card is [redacted]."
    assert shown[1]["parts"][0]["arguments"] == {"card": ["[redacted]"], "amount": 4}
    assert "4111" not in str(client.attributes)
    assert tool.attributes["gen_ai.tool.call.result"] == "paid with [redacted]"


def test_each_text_is_cut_and_the_json_stays_whole() -> None:
    said = [{"role": "user", "parts": [{"type": "text", "content": "ä" * 5000}]}]
    made = llm_record(asked=asked(content={"messages": said}), tools=[tool_run(result="r" * 5000)])
    _, client, tool = spans(made, text_chars_max=100)
    (message,) = json.loads(str(client.attributes["gen_ai.input.messages"]))
    assert message["parts"][0]["content"] == "ä" * 100
    assert tool.attributes["gen_ai.tool.call.result"] == "r" * 100


def test_a_route_to_a_model_that_was_asked_nothing_is_plain_http() -> None:
    assert client_of(record(llm_api="openai")).name == "POST"


def test_attributes_stay_within_what_the_sdk_takes() -> None:
    full = llm_record(
        asked=asked(
            content=CONTENT, stream=True, conversation_id="c", parameters={f"gen_ai.request.p{n}": n for n in range(16)}
        ),
        answered=answered(content=OUTPUT, first_chunk_at=BEGAN + 1, parameters={"openai.response.system_fingerprint": "f"}),
    )
    assert max(len(span.attributes) for span in spans(full, profile="dup")) < 100

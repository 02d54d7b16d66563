"""What a request asks for beside its messages, by the conventions' names; and what it calls its session."""

from typing import Any

import pytest
from asked_cases import CHAT, GENERATE, MESSAGES, RESPONSES, asked

from tracer_proxy import limits
from tracer_proxy.genai.requests import read_request

COMPLETIONS = b"/v1/completions"
EMBEDDINGS = b"/v1/embeddings"
P = "gen_ai.request."


@pytest.mark.parametrize(
    ("api", "path", "body", "expected"),
    [
        (
            "openai",
            CHAT,
            {"temperature": 1, "top_p": 0.5, "seed": 7},
            {P + "temperature": 1.0, P + "top_p": 0.5, P + "seed": 7},
        ),
        ("openai", CHAT, {"max_tokens": 5}, {P + "max_tokens": 5}),
        ("openai", CHAT, {"max_tokens": 5, "max_completion_tokens": 6}, {P + "max_tokens": 6}),
        ("openai", CHAT, {"max_tokens": 5, "max_completion_tokens": "6"}, {P + "max_tokens": 5}),
        ("openai", CHAT, {"stop": "END"}, {P + "stop_sequences": ["END"]}),
        ("openai", CHAT, {"stop": ["a", "b", 3]}, {P + "stop_sequences": ["a", "b"]}),
        ("openai", CHAT, {"stop": []}, {}),
        ("openai", CHAT, {"n": 1}, {}),
        ("openai", CHAT, {"n": 3}, {P + "choice.count": 3}),
        (
            "openai",
            CHAT,
            {"frequency_penalty": -1, "presence_penalty": 2},
            {P + "frequency_penalty": -1.0, P + "presence_penalty": 2.0},
        ),
        ("openai", CHAT, {"top_logprobs": 5}, {}),
        ("openai", CHAT, {"response_format": {"type": "json_schema", "json_schema": {}}}, {"gen_ai.output.type": "json"}),
        ("openai", CHAT, {"response_format": {"type": "json_object"}}, {"gen_ai.output.type": "json"}),
        ("openai", CHAT, {"response_format": {"type": "text"}}, {"gen_ai.output.type": "text"}),
        ("openai", CHAT, {"response_format": "json"}, {}),
        ("openai", CHAT, {"service_tier": "flex"}, {"openai.request.service_tier": "flex"}),
        ("openai", CHAT, {"service_tier": "auto"}, {}),
        (
            "openai",
            COMPLETIONS,
            {"prompt": "a", "max_tokens": 3, "stop": "\n"},
            {P + "max_tokens": 3, P + "stop_sequences": ["\n"]},
        ),
        ("openai", RESPONSES, {"max_output_tokens": 9, "temperature": 0}, {P + "max_tokens": 9, P + "temperature": 0.0}),
        ("openai", RESPONSES, {"text": {"format": {"type": "json_schema"}}}, {"gen_ai.output.type": "json"}),
        ("openai", RESPONSES, {"text": {"verbosity": "low"}}, {}),
        (
            "openai",
            EMBEDDINGS,
            {"input": "a", "encoding_format": "base64", "dimensions": 256},
            {P + "encoding_formats": ["base64"], "gen_ai.embeddings.dimension.count": 256},
        ),
        ("anthropic", MESSAGES, {"max_tokens": 5, "top_k": 40}, {P + "max_tokens": 5, P + "top_k": 40.0}),
        ("anthropic", MESSAGES, {"stop_sequences": ["x"], "service_tier": "auto"}, {P + "stop_sequences": ["x"]}),
        ("anthropic", MESSAGES, {"output_config": {"format": {"type": "json_schema"}}}, {"gen_ai.output.type": "json"}),
        (
            "gemini",
            GENERATE,
            {"generationConfig": {"temperature": 0.5, "topP": 1, "topK": 40, "maxOutputTokens": 8, "stopSequences": ["x"]}},
            {P + "temperature": 0.5, P + "top_p": 1.0, P + "top_k": 40.0, P + "max_tokens": 8, P + "stop_sequences": ["x"]},
        ),
        (
            "gemini",
            GENERATE,
            {
                "generation_config": {
                    "top_p": 1,
                    "max_output_tokens": 8,
                    "candidate_count": 2,
                    "response_mime_type": "application/json",
                }
            },
            {P + "top_p": 1.0, P + "max_tokens": 8, P + "choice.count": 2, "gen_ai.output.type": "json"},
        ),
        ("gemini", GENERATE, {"generationConfig": {"candidateCount": 1, "seed": 3}}, {P + "seed": 3}),
        ("gemini", b"/v1/models/e:embedContent", {"outputDimensionality": 64}, {"gen_ai.embeddings.dimension.count": 64}),
        (
            "gemini",
            b"/v1/models/e:batchEmbedContents",
            {"requests": [{"content": {}, "outputDimensionality": 64}]},
            {"gen_ai.embeddings.dimension.count": 64},
        ),
    ],
)
def test_parameters_have_the_conventions_names(api: str, path: bytes, body: dict[str, Any], expected: dict[str, Any]) -> None:
    found = asked(api, path, **body).parameters
    assert found == expected
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in expected.items()}


@pytest.mark.parametrize("wrong", ["hot", True, None, [], {}, {"a": 1}, [0.5]])
def test_a_field_of_the_wrong_type_takes_nothing_along(wrong: Any) -> None:
    found = asked("openai", CHAT, model="m", stream=True, temperature=wrong, top_p=0.5, seed=wrong, n=wrong)
    assert (found.model, found.stream, found.parameters) == ("m", True, {P + "top_p": 0.5})


@pytest.mark.parametrize(
    "odd",
    [b"1e999", b'"\xff"', b"123456789012345678901234567890", b"-9223372036854775809", b"[" * 500 + b"]" * 500],
)
def test_a_value_that_no_attribute_can_hold_takes_nothing_along(odd: bytes) -> None:
    for field in (b"seed", b"user", b"messages", b"tools"):
        found = read_request("openai", CHAT, b'{"model":"m",%b:%b,"top_p":0.5}' % (b'"' + field + b'"', odd))
        assert found is not None
        assert found.model == "m"
        assert found.parameters == {P + "top_p": 0.5}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"7",
        b"null",
        b"{}x",
        b'{"model":"m"',
        b"\xff\xfe",
        b'{"model":"\\ud800"}',
        b'{"a":' * 100_000,
        b"[" * 1_000_000,
    ],
)
def test_what_is_no_json_object_is_not_read(body: bytes) -> None:
    for api, path in (("openai", CHAT), ("openai", RESPONSES), ("anthropic", MESSAGES), ("gemini", GENERATE)):
        assert read_request(api, path, body) is None


@pytest.mark.parametrize(("stream", "expected"), [(True, True), (False, False), (None, False), ("true", False), (1, False)])
def test_a_stream_is_asked_for_in_so_many_words(stream: Any, expected: bool) -> None:
    for api, path in (("openai", CHAT), ("openai", RESPONSES), ("openai", COMPLETIONS), ("anthropic", MESSAGES)):
        assert asked(api, path, stream=stream).stream is expected
    assert asked("gemini", GENERATE, stream=stream).stream is False


def test_names_that_become_attributes_are_bounded() -> None:
    assert len(asked("openai", CHAT, model="m" * 10_000).model) == limits.PARAMETER_CHARS_MAX
    stops = asked("openai", CHAT, stop=["s" * 10_000] * 1000).parameters[P + "stop_sequences"]
    assert isinstance(stops, list)
    assert len(stops) == limits.PARAMETER_STRINGS_MAX
    assert {len(stop) for stop in stops} == {limits.PARAMETER_CHARS_MAX}


SESSION = "8e1ff75f-79f4-4dbe-8e5b-6b1c4a2f2d11"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"metadata": {"session_id": "s"}}, "s"),
        ({"metadata": {"session_id": 7}}, ""),
        ({"litellm_session_id": "s"}, "s"),
        ({"metadata": {"session_id": "first"}, "litellm_session_id": "second"}, "first"),
        ({"metadata": {"user_id": f"user_0af_account_{SESSION[::-1]}_session_{SESSION}"}}, SESSION),
        ({"metadata": {"user_id": f"user_0af_account__session_{SESSION}"}}, SESSION),
        ({"metadata": {"user_id": f'{{"device_id":"d","account_uuid":"a","session_id":"{SESSION}"}}'}}, SESSION),
        ({"metadata": {"user_id": '{"session_id":'}}, ""),
        ({"metadata": {"user_id": "user_1"}}, ""),
        ({"metadata": {"user_id": f"someone_session_{SESSION}"}}, ""),
        ({"metadata": "s"}, ""),
        ({"user": "someone", "prompt_cache_key": "k", "session_id": "x"}, ""),
        ({"metadata": {"session_id": "s" * 100_000}}, ""),
    ],
)
def test_a_session_is_what_known_clients_call_it(body: dict[str, Any], expected: str) -> None:
    for api, path in (("openai", CHAT), ("openai", RESPONSES), ("anthropic", MESSAGES), ("openai", EMBEDDINGS)):
        assert asked(api, path, **body).session_id == expected

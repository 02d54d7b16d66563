"""Gemini's generateContent and embedContent. Clients write names in camel case or in snake case, and mix them."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final, TypeVar

from msgspec import Raw, Struct

from tracer_proxy.genai.asked import Asked, Parameter
from tracer_proxy.genai.requests.content import captured
from tracer_proxy.genai.requests.echoes import Call, Result, Said, Who, echoes
from tracer_proxy.genai.requests.endpoint import OPERATIONS, Endpoint
from tracer_proxy.genai.requests.json_values import NULL, Json, Members, member, members, reader, text, value, written
from tracer_proxy.genai.requests.parameters import Table, name, not_one, number, parameters, strings, whole
from tracer_proxy.genai.requests.sessions import identifier

_Held = TypeVar("_Held")


@cache
def snake(camel: str) -> str:
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), camel)


def either(held: Mapping[str, _Held], camel: str) -> _Held | None:
    """A member by its name in camel case or in snake case."""
    found = held.get(camel)
    return held.get(snake(camel)) if found is None else found


def _output_type(mime: Json) -> str | None:
    return {"application/json": "json", "text/plain": "text"}.get(text(mime))


def _both(table: Table) -> Table:
    return table + tuple((snake(field), attribute, read) for field, attribute, read in table if snake(field) != field)


_PARAMETERS: Final = _both(
    (
        ("temperature", "gen_ai.request.temperature", number),
        ("topP", "gen_ai.request.top_p", number),
        ("topK", "gen_ai.request.top_k", number),
        ("maxOutputTokens", "gen_ai.request.max_tokens", whole),
        ("stopSequences", "gen_ai.request.stop_sequences", strings),
        ("seed", "gen_ai.request.seed", whole),
        ("candidateCount", "gen_ai.request.choice.count", not_one),
        ("frequencyPenalty", "gen_ai.request.frequency_penalty", number),
        ("presencePenalty", "gen_ai.request.presence_penalty", number),
        ("responseMimeType", "gen_ai.output.type", _output_type),
    )
)
_EMBEDDING: Final = _both((("outputDimensionality", "gen_ai.embeddings.dimension.count", whole),))


def read_generate(endpoint: Endpoint, body: Members, content_chars: int) -> Asked:
    given = body.get("contents")
    contents = given if isinstance(given, list) else []
    # A client's chat keeps each chunk of a streamed answer as a content of its own.
    repeated = echoes(contents, said, in_runs=True, has_tools=bool(body.get("tools")), content_chars=content_chars)
    return Asked(
        endpoint.api,
        OPERATIONS[endpoint.api],
        name(endpoint.model),
        endpoint.stream,
        _of_config(either(body, "generationConfig")),
        conversation_id="",
        session_id="",
        previous_response_id="",
        results=repeated.results,
        history=repeated.history,
        prefix=repeated.prefix,
        content=captured(given, either(body, "systemInstruction"), body.get("tools"), content_chars),
    )


def _of_config(config: Json) -> dict[str, Parameter]:
    held = {field: value(raw) for field, raw in config.items()} if isinstance(config, dict) else {}
    return parameters(held, _PARAMETERS)


def read_embed(endpoint: Endpoint, body: Members, content_chars: int) -> Asked:
    """A batch says what it wants with each of its requests, and all want the same."""
    batch = body.get("requests")
    first = members(bytes(batch[0])) if isinstance(batch, list) and batch else body
    return Asked(
        endpoint.api,
        OPERATIONS[endpoint.api],
        name(endpoint.model),
        stream=False,
        parameters=parameters(first or {}, _EMBEDDING),
        conversation_id="",
        session_id="",
        previous_response_id="",
        results=(),
        history=(),
        prefix=b"",
    )


class _Function(Struct):
    """A call or its result."""

    id: Json = None
    name: Json = None
    args: Raw = NULL
    response: Raw = NULL


class _Part(Struct):
    text: Raw = NULL
    thought: Json = None
    functionCall: _Function | None = None
    function_call: _Function | None = None
    functionResponse: _Function | None = None
    function_response: _Function | None = None


class _Content(Struct):
    role: Json = None
    parts: list[_Part] | None = None


_content = reader(_Content, _Content())


def said(content: Raw) -> Said:
    held = _content(content)
    parts = held.parts or []
    if held.role == "model":
        spoken = "".join(text(value(part.text)) for part in parts if part.thought is not True)
        calls = [_call(call) for part in parts if (call := part.functionCall or part.function_call)]
        return Said(Who.MODEL, spoken, calls)
    results = [_result(result) for part in parts if (result := part.functionResponse or part.function_response)]
    return Said(Who.TOOL if results else Who.USER, results=results)


def _call(call: _Function) -> Call:
    return Call(identifier(call.id), name(call.name), written(call.args))


def _result(result: _Function) -> Result:
    # FunctionResponse.response: "error" holds what went wrong.
    failed = bool(member(value(result.response), "error"))
    return Result(identifier(result.id), name(result.name), result.response, failed)

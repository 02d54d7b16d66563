"""The body of ``generateContent`` and of its siblings, read and checked."""

from dataclasses import dataclass
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.conversation import Conversation
from tracer_proxy.mocks.llm.gemini import contents
from tracer_proxy.mocks.llm.gemini.contents import Content
from tracer_proxy.mocks.llm.gemini.fields import Fields
from tracer_proxy.mocks.llm.gemini.function_tools import callable_now
from tracer_proxy.mocks.llm.gemini.openapi_schema import json_schema
from tracer_proxy.mocks.llm.serving import Refused

_KNOWN = frozenset(
    (
        *("contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings"),
        *("cachedContent", "labels", "model", "serviceTier", "store"),
    )
)
_JSON = "application/json"
_ENUM = "text/x.enum"
_MIME_TYPES = ("text/plain", _JSON, _ENUM)


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What was asked, and how the answer is wanted. ``is_enum``: as one bare word of an enumeration."""

    conversation: Conversation
    prompt_tokens: int
    candidates: int
    tokens_max: int | None
    """Bound for each candidate."""
    stop: tuple[str, ...]
    shows_thoughts: bool
    is_enum: bool
    rates_safety: bool
    digest: bytes
    """Of everything that decides what is said."""


def read_generate_request(model: str, body: Any) -> GenerateRequest:
    """Read a JSON body; raises ``Refused`` as the provider would. The model is that of the path."""
    fields = Fields(body)
    fields.refuse_unknown(_KNOWN)
    config = fields.object("generationConfig") or Fields({})
    _check_plain_fields(config)
    said = contents.read_contents(fields)
    thinking = config.object("thinkingConfig")
    return GenerateRequest(
        conversation=_conversation(model, fields, config, said),
        prompt_tokens=_prompt_tokens(fields, said),
        candidates=config.integer("candidateCount", 1, limits.MOCK_CANDIDATES_MAX) or 1,
        tokens_max=config.integer("maxOutputTokens", 1),
        stop=_stop(config),
        shows_thoughts=thinking is not None and thinking.flag("includeThoughts"),
        is_enum=config.get("responseMimeType") == _ENUM,
        rates_safety=bool(fields.items("safetySettings")),
        digest=json_text.digest([model, body]),
    )


def count_tokens(body: Any) -> int:
    """Tokens of the prompt in the body of a request to count them: contents alone, or a whole request."""
    fields = Fields(body)
    whole = fields.object("generateContentRequest") or fields
    return _prompt_tokens(whole, contents.read_contents(whole))


def _conversation(model: str, fields: Fields, config: Fields, said: list[Content]) -> Conversation:
    may_call, must_call = callable_now(fields)
    return Conversation(
        model=model,
        user_text=contents.last_user_text(said),
        results=contents.results_at_end(said),
        called=contents.called_since_user(said),
        tools=may_call,
        must_call=must_call,
        reasons=_thinks(config),
        schema=_answer_schema(config),
    )


def _check_plain_fields(config: Fields) -> None:
    config.check_number("temperature", 0, 2)
    config.check_number("topP", 0, 1)
    config.check_number("topK", 1, 1000)
    config.check_number("presencePenalty", -2, 2)
    config.check_number("frequencyPenalty", -2, 2)
    for modality in config.texts("responseModalities"):
        if modality.upper() != "TEXT":
            raise config.wrong_value(config.path("responseModalities"), "can be TEXT only: this mock answers in text")


def _thinks(config: Fields) -> bool:
    """Whether there are thoughts, shown or not."""
    thinking = config.object("thinkingConfig")
    if thinking is None:
        return False
    budget = thinking.integer("thinkingBudget", -1)
    return budget != 0 and (thinking.flag("includeThoughts") or budget is not None or thinking.get("thinkingLevel") is not None)


def _stop(config: Fields) -> tuple[str, ...]:
    sequences = config.texts("stopSequences")
    if len(sequences) > limits.MOCK_GEMINI_STOP_SEQUENCES_MAX:
        raise config.wrong_value(
            config.path("stopSequences"), f"may have at most {limits.MOCK_GEMINI_STOP_SEQUENCES_MAX} sequences"
        )
    return tuple(sequence for sequence in sequences if sequence)


def _answer_schema(config: Fields) -> JsonObject | None:
    """The schema of a structured answer, None if plain text will do."""
    mime_type = config.optional_text("responseMimeType") or "text/plain"
    if mime_type not in _MIME_TYPES:
        raise Refused(400, f"* GenerateContentRequest.generation_config.response_mime_type: allowed: {', '.join(_MIME_TYPES)}.")
    own, plain = config.object("responseSchema"), config.object("responseJsonSchema")
    if own is not None and plain is not None:
        raise Refused(400, "response_schema and response_json_schema are mutually exclusive.")
    if own is None and plain is None:
        return {} if mime_type == _JSON else None
    if mime_type not in (_JSON, _ENUM):
        raise Refused(400, f"Response schemas need the response mime type '{_JSON}' or '{_ENUM}', not '{mime_type}'.")
    return config.json("responseJsonSchema") if plain is not None else json_schema(config.json("responseSchema"))


def _prompt_tokens(fields: Fields, said: list[Content]) -> int:
    instruction = fields.object("systemInstruction")
    system = contents.said_tokens([contents.read_content(instruction)]) if instruction is not None else 0
    offered = fields.items("tools")
    return contents.said_tokens(said) + system + (tokens.count(contents.as_text(offered)) if offered else 0)

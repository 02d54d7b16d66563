"""Answers of models, made by the project in the providers' wire formats, and what they say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracer_proxy.genai.anchor import arguments_digest, call_anchors
from tracer_proxy.genai.answered import Answered, ToolCall, Usage
from tracer_proxy.genai.answers import AnswerReader

FOLDER = Path(__file__).parent / "golden" / "answers"
PREFIX = b"what was said so"
SSE = b"text/event-stream; charset=utf-8"
JSON = b"application/json"


@dataclass(frozen=True)
class Case:
    name: str
    api: str
    expected: dict[str, Any]
    status: int = 200

    @property
    def body(self) -> bytes:
        return (FOLDER / self.name).read_bytes()

    @property
    def content_type(self) -> bytes:
        return SSE if self.name.endswith(".sse") else JSON

    @property
    def is_stream(self) -> bool:
        return self.name.endswith(".sse") or "array" in self.name

    def reader(self, *, encoding: bytes = b"", prefix: bytes = PREFIX, content_chars: int = 0) -> AnswerReader:
        return AnswerReader(
            self.api,
            status=self.status,
            content_type=self.content_type,
            content_encoding=encoding,
            prefix=prefix,
            content_chars=content_chars,
        )

    def read(self, pieces: Iterable[bytes], *, encoding: bytes = b"", content_chars: int = 0) -> Answered | None:
        reader = self.reader(encoding=encoding, content_chars=content_chars)
        for piece in pieces:
            reader.feed(piece, 1.0)
        assert reader.gave_up == ""
        return reader.finish()


def calls(text: str, *said: tuple[str, str, str]) -> tuple[ToolCall, ...]:
    """Of one message: ``said`` are (id, tool, arguments)."""
    anchors = call_anchors(PREFIX, text, [(tool, arguments) for _, tool, arguments in said])
    return tuple(
        ToolCall(call_id, tool, anchor, arguments_digest(arguments))
        for (call_id, tool, arguments), anchor in zip(said, anchors, strict=True)
    )


def without_anchor(*said: tuple[str, str, str]) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(call_id, tool, b"", arguments_digest(arguments)) for call_id, tool, arguments in said)


CHAT = {
    "id": "chatcmpl-1",
    "model": "gpt-5-mini-2026-01-01",
    "parameters": {"openai.response.service_tier": "default", "openai.response.system_fingerprint": "fp_a1"},
}
CHAT_USAGE = Usage(input=90, output=12, cache_read=64, reasoning=7)
COMPLETION = {"id": "cmpl-1", "model": "gpt-3.5-turbo-instruct"}
RESPONSE = {"id": "resp_1", "model": "gpt-5-2026-01-01", "parameters": {"openai.response.service_tier": "flex"}}
RESPONSE_USAGE = Usage(input=120, output=33, cache_read=100, cache_creation=20, reasoning=16)
MESSAGE = {"id": "msg_01", "model": "claude-sonnet-5-20260101"}
GEMINI = {"id": "r1", "model": "gemini-3-flash"}

WEATHER = '{"city": "Oslo"}'
CHAT_CALLS = calls("I will look.", ("call_Xa81kQ0pLm29", "get_weather", WEATHER), ("call_Zb92rT1qNn30", "get_time", "{}"))
RESPONSE_CALLS = calls(
    "Looking.",
    ("call_Xa81kQ0pLm29", "get_weather", WEATHER),
    ("call_Zb92rT1qNn30", "get_time", "{}"),
    ("call_Cc03", "run", "ls -l"),
)
MESSAGE_CALLS = calls("I will look.", ("toolu_01A", "get_weather", WEATHER), ("toolu_01B", "get_time", "{}"))
GEMINI_CALLS = calls("I will look.", ("fc-77ab12cd90", "get_weather", WEATHER), ("", "get_time", "{}"))


def chat(name: str, finish: Sequence[str], chunks: int = 0, status: int = 200, **expected: Any) -> Case:
    return Case(name, "chat_completions", {**CHAT, "finish_reasons": tuple(finish), "chunks": chunks, **expected}, status)


CASES = [
    chat("chat_text.sse", ["stop"], 3, usage=CHAT_USAGE),
    chat("chat_calls.sse", ["tool_calls"], 8, calls=CHAT_CALLS),
    chat(
        "chat_choices.sse",
        ["tool_calls", "tool_calls"],
        2,
        calls=calls("", ("call_0", "search", '{"q":1}')) + calls("Yes.", ("call_0", "search", '{"q":2}')),
    ),
    chat("chat_error.sse", [], 2, error="server_error", is_whole=False),
    chat("chat_reasoning.sse", ["stop"], 3, usage=Usage(input=5, output=9)),
    chat("chat_azure.sse", ["content_filter"], 1),
    chat("chat_legacy.sse", ["function_call"], 3, calls=calls("", ("", "get_weather", WEATHER))),
    chat("chat_refusal.sse", ["stop"], 2),
    chat("chat_length.sse", ["length"], 2, calls=without_anchor(("call_Xa81kQ0pLm29", "get_weather", WEATHER))),
    chat("chat_crlf.sse", ["stop"], 2),
    chat("chat_cr.sse", ["stop"], 2),
    chat("chat_text.json", ["stop"], usage=CHAT_USAGE),
    chat("chat_calls.json", ["tool_calls"], usage=CHAT_USAGE, calls=CHAT_CALLS),
    chat("chat_custom_call.json", ["tool_calls"], usage=CHAT_USAGE, calls=calls("", ("call_Xa81kQ0pLm29", "run", "ls -l"))),
    Case("chat_error.json", "chat_completions", {"error": "rate_limit_exceeded"}, 429),
    Case("completions.sse", "completions", {**COMPLETION, "finish_reasons": ("length",), "chunks": 2}),
    Case("completions.json", "completions", {**COMPLETION, "finish_reasons": ("stop",), "usage": Usage(input=3, output=2)}),
    Case(
        "responses_text.sse",
        "responses",
        {**RESPONSE, "finish_reasons": ("stop",), "usage": RESPONSE_USAGE, "conversation_id": "conv_9", "chunks": 3},
    ),
    Case(
        "responses_calls.sse",
        "responses",
        {**RESPONSE, "finish_reasons": ("tool_calls",), "usage": RESPONSE_USAGE, "calls": RESPONSE_CALLS, "chunks": 8},
    ),
    Case(
        "responses_incomplete.sse",
        "responses",
        {**RESPONSE, "finish_reasons": ("length",), "usage": RESPONSE_USAGE, "chunks": 1},
    ),
    Case("responses_failed.sse", "responses", {**RESPONSE, "finish_reasons": ("error",), "error": "server_error", "chunks": 1}),
    Case("responses_error.sse", "responses", {**RESPONSE, "error": "rate_limit_exceeded", "is_whole": False, "chunks": 1}),
    Case("responses_refusal.sse", "responses", {**RESPONSE, "finish_reasons": ("stop",), "usage": RESPONSE_USAGE, "chunks": 1}),
    Case(
        "responses_calls.json",
        "responses",
        {
            **RESPONSE,
            "finish_reasons": ("tool_calls",),
            "usage": RESPONSE_USAGE,
            "calls": RESPONSE_CALLS,
            "conversation_id": "conv_9",
        },
    ),
    Case(
        "responses_built_in_call.json",
        "responses",
        {
            **RESPONSE,
            "finish_reasons": ("tool_calls",),
            "usage": RESPONSE_USAGE,
            "calls": without_anchor(("call_Ls01", "local_shell", ""))
            + calls("Listing.", ("call_Zb92rT1qNn30", "get_time", "{}")),
        },
    ),
    Case("responses_failed.json", "responses", {**RESPONSE, "finish_reasons": ("error",), "error": "server_error"}),
    Case(
        "messages_text.sse",
        "messages",
        {
            **MESSAGE,
            "finish_reasons": ("stop",),
            "usage": Usage(input=100, output=15, cache_read=61, cache_creation=30),
            "chunks": 5,
        },
    ),
    Case(
        "messages_calls.sse",
        "messages",
        {
            **MESSAGE,
            "finish_reasons": ("tool_calls",),
            "usage": Usage(input=16, output=42, cache_read=5),
            "calls": MESSAGE_CALLS,
            "chunks": 7,
        },
    ),
    Case(
        "messages_length.sse",
        "messages",
        {**MESSAGE, "finish_reasons": ("length",), "usage": Usage(input=9, output=8), "chunks": 1},
    ),
    Case(
        "messages_error.sse",
        "messages",
        {
            **MESSAGE,
            "usage": Usage(input=9),
            "calls": without_anchor(("toolu_01A", "get_weather", WEATHER)),
            "error": "overloaded_error",
            "is_whole": False,
            "chunks": 2,
        },
    ),
    Case(
        "messages_calls.json",
        "messages",
        {
            **MESSAGE,
            "finish_reasons": ("tool_calls",),
            "usage": Usage(input=100, output=42, cache_read=61, cache_creation=30),
            "calls": MESSAGE_CALLS,
        },
    ),
    Case("messages_error.json", "messages", {"error": "rate_limit_error"}, 429),
    Case(
        "gemini_text.sse",
        "generate_content",
        {**GEMINI, "finish_reasons": ("STOP",), "usage": Usage(input=9, output=9, cache_read=3, reasoning=5), "chunks": 3},
    ),
    Case(
        "gemini_calls.sse",
        "generate_content",
        {**GEMINI, "finish_reasons": ("STOP",), "usage": Usage(input=9, output=12), "calls": GEMINI_CALLS, "chunks": 3},
    ),
    Case(
        "gemini_array.json",
        "generate_content",
        {
            **GEMINI,
            "finish_reasons": ("STOP",),
            "usage": Usage(input=9, output=12),
            "calls": calls(
                'Brackets ]}[{ and "quotes" \\I will look.', ("fc-77ab12cd90", "get_weather", WEATHER), ("", "get_time", "{}")
            ),
            "chunks": 4,
        },
    ),
    Case(
        "gemini_calls.json",
        "generate_content",
        {**GEMINI, "finish_reasons": ("STOP",), "usage": Usage(input=9, output=12), "calls": GEMINI_CALLS},
    ),
    Case("gemini_blocked.json", "generate_content", {**GEMINI, "usage": Usage(input=9)}),
    Case(
        "gemini_error.sse",
        "generate_content",
        {**GEMINI, "usage": Usage(input=9, output=2), "error": "UNAVAILABLE", "is_whole": False, "chunks": 1},
    ),
    Case("gemini_error.json", "generate_content", {"error": "RESOURCE_EXHAUSTED"}, 429),
    Case("gemini_error_array.json", "generate_content", {"error": "RESOURCE_EXHAUSTED", "is_whole": False}, 429),
    Case("embeddings.json", "embeddings", {"model": "text-embedding-3-small", "usage": Usage(input=3)}),
    Case("embed_content.json", "embed_content", {"usage": Usage(input=6)}),
]


def expected(case: Case) -> Answered:
    """Fed at second 1.0, so that all gaps are none."""
    chunks = case.expected.get("chunks", 0)
    plain: dict[str, Any] = {
        "id": "",
        "model": "",
        "finish_reasons": (),
        "usage": Usage(),
        "calls": (),
        "conversation_id": "",
        "error": "",
        "is_whole": True,
        "parameters": {},
        "chunks": 0,
        "first_chunk_at": 1.0 if chunks else None,
        "gaps": (0.0,) * max(0, chunks - 1),
    }
    return Answered(**(plain | case.expected))


def case_named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)

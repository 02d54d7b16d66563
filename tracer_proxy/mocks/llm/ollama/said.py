"""From a request to its answer: one JSON text, or one a line and token."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import answer, ending, tokens
from tracer_proxy.mocks.llm.conversation import Reply
from tracer_proxy.mocks.llm.ids import Ids
from tracer_proxy.mocks.llm.ollama.chat_request import ChatRequest

_TOKEN_NS = 20_000_000
_PROMPT_TOKEN_NS = 1_000_000
_LOAD_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Said:
    """An answer. ``in_message``: as a message, as ``/api/chat`` has it, and not as a plain text."""

    model: str
    created_at: str
    reply: Reply
    call_ids: tuple[str, ...]
    done_reason: str
    prompt_tokens: int
    in_message: bool


def say(request: ChatRequest, trace: bytes, *, in_message: bool) -> Said:
    """Answer a request; the same request gets an equal answer. What it says never hangs on ``trace``, but its ids do."""
    ids = Ids(request.digest + trace)
    ended = ending.Ended(Reply(text=""))
    if not request.is_load:
        ended = ending.end(answer.reply(request.conversation, Ids(request.digest), 0), request.stop, request.tokens_max)
    return Said(
        model=request.conversation.model,
        created_at=datetime.fromtimestamp(ids.created_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        reply=ended.reply,
        call_ids=tuple(ids.make("call_", number=number, hex_digits=8) for number in range(len(ended.reply.calls))),
        done_reason="load" if request.is_load else "length" if ended.is_cut else "stop",
        prompt_tokens=request.prompt_tokens,
        in_message=in_message,
    )


def as_json(said: Said) -> JsonObject:
    """The whole answer."""
    return {**_line(said, said.reply.text or "", said.reply.reasoning, _calls(said)), **_end(said)}


def lines(said: Said) -> Iterator[bytes]:
    """The answer token by token; the last line is empty and has the numbers."""
    for piece in tokens.pieces(said.reply.reasoning):
        yield _write({**_line(said, "", piece), "done": False})
    for piece in tokens.pieces(said.reply.text or ""):
        yield _write({**_line(said, piece), "done": False})
    calls = _calls(said)
    if calls:
        yield _write({**_line(said, "", "", calls), "done": False})
    yield _write({**_line(said, ""), **_end(said)})


def _line(said: Said, text: str, thinking: str = "", calls: list[JsonObject] | None = None) -> JsonObject:
    head = {"model": said.model, "created_at": said.created_at}
    thought = {"thinking": thinking} if thinking else {}
    if not said.in_message:
        return {**head, "response": text, **thought}
    called = {"tool_calls": calls} if calls else {}
    return {**head, "message": {"role": "assistant", "content": text, **thought, **called}}


def _calls(said: Said) -> list[JsonObject]:
    """Arguments are an object. Those that broke off are none, so such a call is not made."""
    calls: list[JsonObject] = []
    for index, (call_id, call) in enumerate(zip(said.call_ids, said.reply.calls, strict=True)):
        try:
            arguments = json.loads(call.arguments)
        except ValueError:
            break
        calls.append({"id": call_id, "function": {"index": index, "name": call.name, "arguments": arguments}})
    return calls


def _end(said: Said) -> JsonObject:
    """Durations are made up from the numbers of tokens."""
    if said.done_reason == "load":
        return {"done": True, "done_reason": "load"}
    spent = ending.count(said.reply)
    prompt_ns, answer_ns = said.prompt_tokens * _PROMPT_TOKEN_NS, spent * _TOKEN_NS
    return {
        "done": True,
        "done_reason": said.done_reason,
        "total_duration": _LOAD_NS + prompt_ns + answer_ns,
        "load_duration": _LOAD_NS,
        "prompt_eval_count": said.prompt_tokens,
        "prompt_eval_duration": prompt_ns,
        "eval_count": spent,
        "eval_duration": answer_ns,
    }


def _write(line: JsonObject) -> bytes:
    return json_text.write(line) + b"\n"

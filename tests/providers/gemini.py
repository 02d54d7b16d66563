"""Gemini generateContent."""

from collections import Counter
from collections.abc import Iterator

from providers.refused import Refused
from providers.said import Json, Reply, Said, pieces, sse, text_of
from providers.tokens import TOKENS

ID_PREFIX = "gen-"
CALL_PREFIX = "fc-"


def read(body: Json, model: str, stream: bool) -> Said:
    """Refuses what Gemini refuses: responses that do not match the calls before them in number and name."""
    prompt, results, called, open_calls = "", 0, 0, Counter[str]()
    for content in body.get("contents") or []:
        parts = content.get("parts") or []
        answered = Counter(part["functionResponse"]["name"] for part in parts if "functionResponse" in part)
        if answered != open_calls:
            raise Refused(400, f"function responses {dict(answered)} do not match the function calls {dict(open_calls)} before")
        open_calls = Counter(part["functionCall"]["name"] for part in parts if "functionCall" in part)
        called += open_calls.total()
        results += answered.total()
        if content.get("role", "user") == "user" and not answered:
            prompt, results = text_of(parts), 0
    if open_calls:
        raise Refused(400, f"function calls without a response: {dict(open_calls)}")
    if not prompt:
        raise Refused(400, "contents hold no text of a user")
    return Said(
        model=model,
        stream=stream,
        prompt=prompt,
        results=results,
        called_before=called,
        offers_tools=bool(body.get("tools")),
    )


def whole(reply: Reply) -> Json:
    return _chunk(reply, [*([{"text": reply.text}] if reply.text else []), *_calls(reply)], "STOP")


def events(reply: Reply) -> Iterator[bytes]:
    """Calls arrive whole, each in its own chunk; only the last chunk says why it ended."""
    parts: list[Json] = [*({"text": piece} for piece in pieces(reply.text)), *_calls(reply)]
    for part in parts[:-1]:
        yield sse(_chunk(reply, [part]))
    yield sse(_chunk(reply, parts[-1:], "STOP"))


def _calls(reply: Reply) -> Iterator[Json]:
    for call in reply.calls:
        named = {"id": call.call_id} if call.call_id else {}
        yield {"functionCall": {**named, "name": call.tool, "args": call.arguments}}


def _chunk(reply: Reply, parts: list[Json], finish_reason: str = "") -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    prompt = TOKENS.fresh + TOKENS.cache_read
    return {
        "candidates": [{**candidate, "finishReason": finish_reason} if finish_reason else candidate],
        "modelVersion": reply.model,
        "responseId": reply.id,
        "usageMetadata": {
            "promptTokenCount": prompt,
            "cachedContentTokenCount": TOKENS.cache_read,
            "candidatesTokenCount": TOKENS.output - TOKENS.reasoning,
            "thoughtsTokenCount": TOKENS.reasoning,
            "totalTokenCount": prompt + TOKENS.output,
        },
    }

"""From a request to what is generated for it: candidates with their parts, usage, and the JSON of it all."""

import base64
import hashlib
import json
from dataclasses import dataclass

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import answer, ending, tokens
from tracer_proxy.mocks.llm.conversation import Reply
from tracer_proxy.mocks.llm.gemini.generate_request import GenerateRequest
from tracer_proxy.mocks.llm.ids import Ids

_WITHOUT_CALL_IDS = ("gemini-1", "gemini-2")
_SAFETY = [
    {"category": f"HARM_CATEGORY_{harm}", "probability": "NEGLIGIBLE"}
    for harm in ("HATE_SPEECH", "DANGEROUS_CONTENT", "HARASSMENT", "SEXUALLY_EXPLICIT")
]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer. ``signature`` seals the thoughts; ``call_ids`` are those of the calls, empty for models without such."""

    index: int
    reply: Reply
    call_ids: tuple[str, ...]
    signature: str
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Generated:
    """All answers to one request."""

    id: str
    model: str
    candidates: tuple[Candidate, ...]
    prompt_tokens: int
    output_tokens: int
    thought_tokens: int
    shows_thoughts: bool
    rates_safety: bool


def generate(request: GenerateRequest, trace: bytes = b"") -> Generated:
    """Answer a request; the same request gets an equal answer. What it says never hangs on ``trace``, but its ids do."""
    ids = Ids(request.digest + trace)
    candidates = tuple(_candidate(request, ids, index) for index in range(request.candidates))
    thought_tokens = sum(tokens.count(candidate.reply.reasoning) for candidate in candidates)
    return Generated(
        id=ids.make("", hex_digits=22),
        model=request.conversation.model,
        candidates=candidates,
        prompt_tokens=request.prompt_tokens,
        output_tokens=sum(ending.count(candidate.reply) for candidate in candidates) - thought_tokens,
        thought_tokens=thought_tokens,
        shows_thoughts=request.shows_thoughts,
        rates_safety=request.rates_safety,
    )


def as_json(generated: Generated) -> JsonObject:
    """The body of an answer that is not streamed."""
    candidates = []
    for candidate in generated.candidates:
        thought, said = thought_text(generated, candidate), candidate.reply.text
        parts = [thought_part(thought)] if thought else []
        parts += [text_part(candidate, said)] if said is not None else []
        candidates.append(candidate_json(generated, candidate, [*parts, *call_parts(candidate)], is_last=True))
    return response_json(generated, candidates, generated.output_tokens)


def response_json(generated: Generated, candidates: list[JsonObject], output_tokens: int) -> JsonObject:
    """A whole answer, or a chunk of one. Numbers of tokens are estimates (``tokens.py``)."""
    usage: JsonObject = {
        "promptTokenCount": generated.prompt_tokens,
        "candidatesTokenCount": output_tokens,
        "totalTokenCount": generated.prompt_tokens + output_tokens + generated.thought_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": generated.prompt_tokens}],
    }
    if generated.thought_tokens:
        usage["thoughtsTokenCount"] = generated.thought_tokens
    return {
        "candidates": candidates,
        "usageMetadata": usage,
        "modelVersion": generated.model,
        "responseId": generated.id,
    }


def candidate_json(generated: Generated, candidate: Candidate, parts: list[JsonObject], *, is_last: bool) -> JsonObject:
    """A candidate, or its part in a chunk. There is always a part: clients drop a turn that ends without one."""
    made: JsonObject = {"content": {"parts": parts or [{"text": ""}], "role": "model"}, "index": candidate.index}
    if generated.rates_safety:
        made["safetyRatings"] = _SAFETY
    return {**made, "finishReason": candidate.finish_reason} if is_last else made


def thought_text(generated: Generated, candidate: Candidate) -> str:
    """The thoughts that are to be seen."""
    return candidate.reply.reasoning if generated.shows_thoughts else ""


def thought_part(text: str) -> JsonObject:
    """A part that holds thoughts."""
    return {"text": text, "thought": True}


def text_part(candidate: Candidate, text: str) -> JsonObject:
    """A part that holds text, sealed if thoughts led there."""
    return {"text": text, "thoughtSignature": candidate.signature} if candidate.signature else {"text": text}


def call_parts(candidate: Candidate) -> list[JsonObject]:
    """The function calls; the first one carries the seal. Arguments that broke off are no JSON, so such a call is not made."""
    parts: list[JsonObject] = []
    for number, call in enumerate(candidate.reply.calls):
        try:
            made: JsonObject = {"name": call.name, "args": json.loads(call.arguments)}
        except ValueError:
            break
        if candidate.call_ids:
            made = {"id": candidate.call_ids[number], **made}
        sealed = {"thoughtSignature": candidate.signature} if candidate.signature and not parts else {}
        parts.append({"functionCall": made, **sealed})
    return parts


def _candidate(request: GenerateRequest, ids: Ids, index: int) -> Candidate:
    said = answer.reply(request.conversation, Ids(request.digest), index)
    if request.is_enum and said.text is not None:
        said = Reply(text=said.text.strip('"'), reasoning=said.reasoning)
    ended = ending.end(said, request.stop, request.tokens_max)
    reply, has_ids = ended.reply, not request.conversation.model.startswith(_WITHOUT_CALL_IDS)
    return Candidate(
        index=index,
        reply=reply,
        call_ids=tuple(
            ids.make("", number=index * len(reply.calls) + number, hex_digits=8) for number in range(len(reply.calls) * has_ids)
        ),
        signature=_signature(request, reply),
        finish_reason="MAX_TOKENS" if ended.is_cut else "STOP",
    )


def _signature(request: GenerateRequest, reply: Reply) -> str:
    if not reply.reasoning:
        return ""
    return base64.b64encode(b"mock" + hashlib.sha512(request.digest + json.dumps(reply.reasoning).encode()).digest()).decode()

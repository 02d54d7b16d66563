"""``/v1/completions``, the interface before chats: a prompt is answered as a user's message would be."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import answer, ending, tokens
from tracer_proxy.mocks.llm.conversation import Conversation
from tracer_proxy.mocks.llm.ids import Ids
from tracer_proxy.mocks.llm.openai import logprobs
from tracer_proxy.mocks.llm.openai.chat import FINGERPRINT
from tracer_proxy.mocks.llm.openai.chat_request import HOW_NOT_WHAT, check_sampling, read_include_usage, read_stop
from tracer_proxy.mocks.llm.openai.chat_stream import DONE, event
from tracer_proxy.mocks.llm.openai.errors import wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields
from tracer_proxy.mocks.llm.openai.inputs import read_inputs

_TOKENS_MAX = 16
"""What an answer has at most, unless the request says otherwise."""
_LOGPROBS_MAX = 5


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What was asked, and how the answer is wanted; ``texts`` has one for each prompt, empty for one of token numbers."""

    model: str
    texts: tuple[str, ...]
    prompt_tokens: int
    longest_tokens: int
    """Of the longest prompt and its answer."""
    choices: int
    tokens_max: int
    stop: tuple[str, ...]
    echo: bool
    logprobs: int | None
    stream: bool
    include_usage: bool
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Choice:
    index: int
    text: str
    finish_reason: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """All answers to one request."""

    head: JsonObject
    choices: tuple[_Choice, ...]
    usage: JsonObject
    logprobs: int | None


def read_completion_request(body: Any) -> CompletionRequest:
    """Read a JSON body; raises ``ApiError`` as the provider would."""
    fields = Fields(body)
    model = fields.text("model")
    prompts = read_inputs(fields, "prompt")
    check_sampling(fields)
    choices = fields.integer("n", 1, limits.MOCK_CHOICES_MAX) or 1
    if (best_of := fields.integer("best_of", 1, limits.MOCK_CHOICES_MAX)) is not None and best_of < choices:
        raise wrong_value("best_of", "The field 'best_of' has to be at least 'n'.")
    tokens_max = fields.integer("max_tokens", 0)
    tokens_max = _TOKENS_MAX if tokens_max is None else tokens_max
    return CompletionRequest(
        model=model,
        texts=tuple(prompt.text for prompt in prompts),
        prompt_tokens=sum(prompt.tokens for prompt in prompts),
        longest_tokens=max(prompt.tokens for prompt in prompts) + tokens_max,
        choices=choices,
        tokens_max=tokens_max,
        stop=read_stop(fields),
        echo=fields.flag("echo"),
        logprobs=fields.integer("logprobs", 0, _LOGPROBS_MAX),
        stream=fields.flag("stream"),
        include_usage=read_include_usage(fields),
        digest=json_text.digest({name: value for name, value in body.items() if name not in HOW_NOT_WHAT}),
    )


def complete(request: CompletionRequest, trace: bytes) -> Completion:
    """Answer a request; the ids, and nothing else, hang on ``trace``."""
    ids = Ids(request.digest + trace)
    places = [(text, number) for text in request.texts for number in range(request.choices)]
    choices = tuple(_choice(request, text, number, index) for index, (text, number) in enumerate(places))
    said = sum(choice.tokens for choice in choices)
    return Completion(
        head={
            "id": ids.make("cmpl-", hex_digits=24),
            "object": "text_completion",
            "created": ids.created_s(),
            "model": request.model,
            "system_fingerprint": FINGERPRINT,
        },
        choices=choices,
        usage={
            "prompt_tokens": request.prompt_tokens,
            "completion_tokens": said,
            "total_tokens": request.prompt_tokens + said,
        },
        logprobs=request.logprobs,
    )


def as_json(completion: Completion) -> JsonObject:
    """The body of an answer that is not streamed."""
    choices = [_part(choice, choice.text, 0, completion.logprobs, choice.finish_reason) for choice in completion.choices]
    return {**completion.head, "choices": choices, "usage": completion.usage}


def events(completion: Completion, *, include_usage: bool) -> Iterator[bytes]:
    """Every event, ``[DONE]`` last."""
    head = {**completion.head, "usage": None} if include_usage else completion.head
    for turn in zip_longest(*(_parts(choice, completion.logprobs) for choice in completion.choices)):
        for part in filter(None, turn):
            yield event({**head, "choices": [part]})
    if include_usage:
        yield event({**head, "choices": [], "usage": completion.usage})
    yield DONE


def _choice(request: CompletionRequest, text: str, number: int, index: int) -> _Choice:
    conversation = Conversation(model=request.model, user_text=text)
    ended = ending.end(answer.reply(conversation, Ids(request.digest), number), request.stop, request.tokens_max)
    said = ended.reply.text or ""
    return _Choice(
        index, text + said if request.echo else said, "length" if ended.is_cut else "stop", ending.count(ended.reply)
    )


def _parts(choice: _Choice, top: int | None) -> Iterator[JsonObject]:
    """One token each; the last one is empty and carries the finish reason."""
    offset = 0
    for piece in tokens.pieces(choice.text):
        yield _part(choice, piece, offset, top, None)
        offset += len(piece)
    yield {"index": choice.index, "text": "", "logprobs": None, "finish_reason": choice.finish_reason}


def _part(choice: _Choice, text: str, offset: int, top: int | None, finish_reason: str | None) -> JsonObject:
    likely = None if top is None else _likely(text, offset, top)
    return {"index": choice.index, "text": text, "logprobs": likely, "finish_reason": finish_reason}


def _likely(text: str, offset: int, top: int) -> JsonObject:
    pieces = tokens.pieces(text)
    offsets = list(accumulate(map(len, pieces), initial=offset))[:-1]
    return {
        "tokens": pieces,
        "token_logprobs": [logprobs.said(piece) for piece in pieces],
        "top_logprobs": [dict(logprobs.ranked(piece, top)) for piece in pieces] if top else None,
        "text_offset": offsets,
    }

"""What was generated, cut into chunks: one token each, but a function call is never cut."""

from collections.abc import Iterator
from itertools import zip_longest

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.gemini import generated as answers
from tracer_proxy.mocks.llm.gemini.generated import Candidate, Generated


def events(generated: Generated) -> Iterator[bytes]:
    """Server-sent events without names, comments or an end mark: clients take anything else for broken JSON."""
    for chunk in _chunks(generated):
        yield b"data: %b\r\n\r\n" % json_text.write(chunk)


def array(generated: Generated) -> Iterator[bytes]:
    """The same chunks as the items of one JSON array."""
    before = b"["
    for chunk in _chunks(generated):
        yield before + json_text.write(chunk)
        before = b"\n,\r\n"
    yield b"\n]"


def _chunks(generated: Generated) -> Iterator[JsonObject]:
    """Candidates take turns, as they do when a model writes them side by side."""
    turns = list(zip_longest(*(_pieces(generated, candidate) for candidate in generated.candidates)))
    for number, turn in enumerate(turns):
        spent = generated.output_tokens * (number + 1) // len(turns)
        yield answers.response_json(generated, [candidate for candidate in turn if candidate is not None], spent)


def _pieces(generated: Generated, candidate: Candidate) -> Iterator[JsonObject]:
    thought, said = answers.thought_text(generated, candidate), candidate.reply.text or ""
    parts = [answers.thought_part(piece) for piece in tokens.pieces(thought)]
    written: list[JsonObject] = [{"text": piece} for piece in tokens.pieces(said)]
    if written:
        written[-1] = answers.text_part(candidate, written[-1]["text"])
    parts = [*parts, *written, *answers.call_parts(candidate)] or [{"text": ""}]
    for number, part in enumerate(parts):
        yield answers.candidate_json(generated, candidate, [part], is_last=number == len(parts) - 1)

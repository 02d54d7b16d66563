"""Results and calls that a conversation repeats, and the digests by which they are known again.

The tail is all that stands after the model's last message. Results that end it carry the turn on; when the user speaks after
them, a turn of its own begins. Earlier calls tell which session this is.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import takewhile
from typing import NamedTuple, TypeAlias

from msgspec import Raw

from tracer_proxy import limits
from tracer_proxy.genai.anchor import call_anchors, prefix_digests
from tracer_proxy.genai.asked import Echo
from tracer_proxy.genai.requests.json_values import Json, json_text, member, parts, text, text_of, value
from tracer_proxy.genai.requests.said import as_it_stands


class Who(Enum):
    MODEL = 1
    TOOL = 2
    """Results, and whatever stands in one message with them."""
    USER = 3
    ASIDE = 4
    """Of the system or the developer: ends no turn."""


class Call(NamedTuple):
    call_id: str
    tool: str
    arguments: str | bytes


class Result(NamedTuple):
    call_id: str
    tool: str
    """Empty where only the call says it."""
    said: Raw
    failed: bool = False


class Said(NamedTuple):
    """One message or item of a conversation."""

    who: Who
    text: str = ""
    calls: Sequence[Call] = ()
    results: Sequence[Result] = ()


class _Answer(NamedTuple):
    """What the model said at one time."""

    begins: int
    """Place of its first message."""
    text: str
    calls: list[Call]


class Echoes(NamedTuple):
    results: tuple[Echo, ...] = ()
    history: tuple[Echo, ...] = ()
    prefix: bytes = b""


Reader: TypeAlias = Callable[[Raw], Said]


def echoes(
    messages: Sequence[Raw],
    read: Reader,
    *,
    has_tools: bool,
    content_chars: int,
    in_runs: bool = False,
    counted: Iterable[tuple[Raw | bytes | memoryview, ...]] | None = None,
) -> Echoes:
    """Without tools on offer nothing will be called, and history is left out.

    ``in_runs``: one answer of the model may stand as several messages in a row. ``counted``: the messages as they count for
    digests, where that is not as they stand.
    """
    tail, answers = _from_the_end(messages, read, in_runs, has_tools)
    since_the_user = list(takewhile(lambda said: said.who is not Who.USER, tail))
    results = [result for said in reversed(since_the_user) for result in said.results][-limits.ECHOES_MAX :]
    places = [answer.begins for answer in answers if answer.calls]
    if has_tools:
        places.append(len(messages))
    prefixes = prefix_digests(as_it_stands(messages) if counted is None else counted, places) if places else {}
    newest = answers.pop(0) if results and answers else _Answer(0, "", [])
    return Echoes(
        _results(results, newest, prefixes, content_chars),
        _history(answers, prefixes),
        prefixes[len(messages)] if has_tools else b"",
    )


def _from_the_end(messages: Sequence[Raw], read: Reader, in_runs: bool, with_history: bool) -> tuple[list[Said], list[_Answer]]:
    """(the tail, the answers before it), both from the newest back; without history the newest answer alone."""
    tail: list[Said] = []
    answers: list[_Answer] = []
    run: list[Said] = []
    place = len(messages)
    floor = max(0, place - limits.TAIL_MESSAGES_MAX)
    while place > floor:
        said = read(messages[place - 1])
        if run and not (in_runs and said.who is Who.MODEL):
            answers.append(_answer(place, run))
            run = []
            floor = max(floor, answers[0].begins - limits.HISTORY_MESSAGES_MAX)
            if not with_history or sum(len(answer.calls) for answer in answers[1:]) >= limits.HISTORY_MAX:
                break
        place -= 1
        if said.who is Who.MODEL:
            run.append(said)
        elif not answers:
            tail.append(said)
    if run:
        answers.append(_answer(place, run))
    return tail, answers


def _answer(begins: int, run: list[Said]) -> _Answer:
    run.reverse()
    return _Answer(begins, "".join(said.text for said in run), [call for said in run for call in said.calls])


def _anchors(answer: _Answer, prefixes: dict[int, bytes]) -> list[bytes]:
    return call_anchors(prefixes.get(answer.begins, b""), answer.text, [(call.tool, call.arguments) for call in answer.calls])


def _results(results: list[Result], answer: _Answer, prefixes: dict[int, bytes], content_chars: int) -> tuple[Echo, ...]:
    anchors = _anchors(answer, prefixes)
    open_places = list(range(len(answer.calls)))
    found = []
    for result in results:
        place = _place(result, answer.calls, open_places)
        if place is not None:
            open_places.remove(place)
        found.append(
            Echo(
                result.call_id,
                result.tool or ("" if place is None else answer.calls[place].tool),
                b"" if place is None else anchors[place],
                result.failed,
                plain(value(result.said))[:content_chars] if content_chars else "",
            )
        )
    return tuple(found)


def _place(result: Result, calls: Sequence[Call], places: Sequence[int]) -> int | None:
    """Of the call that a result answers: by its id, without one by the tool's name. Of several alike, in their order."""
    for place in places:
        call = calls[place]
        if call.call_id == result.call_id if result.call_id else call.tool == result.tool:
            return place
    return None


def _history(answers: Sequence[_Answer], prefixes: dict[int, bytes]) -> tuple[Echo, ...]:
    found = []
    for answer in answers:
        anchors = _anchors(answer, prefixes)
        found += [Echo(call.call_id, call.tool, anchor) for call, anchor in zip(answer.calls, anchors, strict=True)][::-1]
    return tuple(found[: limits.HISTORY_MAX])


def plain(said: Json) -> str:
    """A tool's result as text: the text of its parts without pictures and files, or JSON."""
    if isinstance(said, list) and any("type" in each for each in parts(said)):
        return spoken(said)
    return json_text(said)


def spoken(content: Json) -> str:
    """A content's text: a string, or that of its text parts."""
    if isinstance(content, list):
        return "".join(text_of(part, "text") for part in parts(content) if member(part, "type") in _TEXT_TYPES)
    return text(content)


_TEXT_TYPES = ("text", "output_text", "input_text")

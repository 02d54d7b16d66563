"""Where a reply ends: by itself, before a stop sequence, or where its tokens run out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.conversation import Reply, ToolCall


@dataclass(frozen=True, slots=True)
class Ended:
    """A reply as far as it goes. ``stop`` is the stop sequence that ended it; ``is_cut`` if its tokens ran out."""

    reply: Reply
    stop: str | None = None
    is_cut: bool = False


def end(reply: Reply, stop: Sequence[str], tokens_max: int | None) -> Ended:
    """A stop sequence ends the text before itself; what is then still too long breaks off.

    Reasoning comes first and costs tokens too. Stop sequences end neither reasoning nor calls.
    """
    text, found = _before_stop(reply.text, stop)
    reply = replace(reply, text=text)
    if tokens_max is None or count(reply) <= tokens_max:
        return Ended(reply, found)
    return Ended(_cut(reply, tokens_max), is_cut=True)


def count(reply: Reply) -> int:
    """Estimated tokens of a reply, its reasoning included."""
    called = sum(tokens.count(call.name) + tokens.count(call.arguments) for call in reply.calls)
    return called + tokens.count(reply.text or "") + tokens.count(reply.reasoning)


def _before_stop(text: str | None, stop: Sequence[str]) -> tuple[str | None, str | None]:
    """The text up to the first stop sequence in it, and that sequence; of several at one place the first named."""
    found = [(place, sequence) for sequence in stop if (place := (text or "").find(sequence)) >= 0]
    if text is None or not found:
        return text, None
    place, sequence = min(found, key=lambda one: one[0])
    return text[:place], sequence


def _cut(reply: Reply, tokens_max: int) -> Reply:
    """Arguments that do not fit break off and are no JSON any more, as a model's would; calls after them are not made."""
    reasoning = tokens.cut(reply.reasoning, tokens_max)
    left = tokens_max - tokens.count(reasoning)
    text = None if reply.text is None else tokens.cut(reply.text, left)
    left -= tokens.count(text or "")
    calls: list[ToolCall] = []
    for call in reply.calls:
        if calls and left <= 0:
            break
        left -= tokens.count(call.name)
        calls.append(ToolCall(call.name, tokens.cut(call.arguments, max(0, left))))
        left -= tokens.count(calls[-1].arguments)
    return Reply(text=text, calls=tuple(calls), reasoning=reasoning)

"""The messages of a chat request: their shape, and that tool calls and tool results belong together."""

from dataclasses import dataclass

from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.conversation import ToolResult
from tracer_proxy.mocks.llm.openai.errors import ApiError, missing, wrong_type
from tracer_proxy.mocks.llm.openai.fields import Fields

_ROLES = ("developer", "system", "user", "assistant", "tool", "function")
_INSTRUCTING = ("developer", "system")
_PART_TYPES = ("text", "image_url", "input_audio", "file", "refusal")
_MESSAGE_TOKENS = 3
"""What the provider's chat format adds to each message, and once more for the answer it opens."""
_MEDIUM_TOKENS = 85
"""An image of low detail; sounds and files are counted alike, for want of a better guess."""

_CACHE_TOKENS_MIN = 1024
_CACHE_STEP_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call in an assistant's message."""

    id: str
    name: str
    payload: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``media`` counts its images, sounds and files, ``answers`` is a tool message's call id."""

    role: str
    text: str
    media: int = 0
    name: str = ""
    calls: tuple[Call, ...] = ()
    answers: str = ""

    def tokens(self) -> int:
        """Estimated tokens of this message in a prompt."""
        counted = sum(tokens.count(call.name) + tokens.count(call.payload) for call in self.calls)
        return counted + tokens.count(self.text) + _MEDIUM_TOKENS * self.media + _MESSAGE_TOKENS


def read_messages(body: Fields) -> list[Message]:
    """Read and check ``messages``."""
    if body.items("messages") is None:
        raise missing("messages")
    messages = [_read_message(fields) for fields in body.objects("messages")]
    if not messages:
        raise ApiError(400, "The field 'messages' has to have at least one item.", param="messages", code="empty_array")
    _check_calls_are_answered(messages)
    return messages


def prompt_tokens(messages: list[Message]) -> int:
    """Estimated tokens of all messages together."""
    return sum(message.tokens() for message in messages) + _MESSAGE_TOKENS


def cached_tokens(messages: list[Message], in_front: int) -> int:
    """Estimated tokens of the prompt that an earlier request of the same conversation has sent already: all that stands
    before the model's last words, and ``in_front`` of it. The provider's cache begins at 1024 tokens and grows by 128.
    """
    spoken = [place for place, message in enumerate(messages) if message.role == "assistant"]
    sent = in_front + sum(message.tokens() for message in messages[: spoken[-1]]) if spoken else 0
    return sent - sent % _CACHE_STEP_TOKENS if sent >= _CACHE_TOKENS_MIN else 0


def last_user_text(messages: list[Message]) -> str:
    """What the user said last; empty if nothing."""
    return next((message.text for message in reversed(messages) if message.role == "user"), "")


def results_at_end(messages: list[Message]) -> tuple[ToolResult, ...]:
    """The tool results after which nobody has spoken yet; instructions do not count as speaking."""
    names = {call.id: call.name for message in messages for call in message.calls}
    results: list[ToolResult] = []
    for message in reversed(messages):
        if message.role in ("tool", "function"):
            results.append(ToolResult(names.get(message.answers, message.name), message.text))
        elif results or message.role not in _INSTRUCTING:
            break
    return tuple(reversed(results))


def called_since_user(messages: list[Message]) -> frozenset[str]:
    """Names of the tools called since the user last spoke."""
    called: set[str] = set()
    for message in reversed(messages):
        if message.role == "user":
            break
        called.update(call.name for call in message.calls)
    return frozenset(called)


def _read_message(fields: Fields) -> Message:
    role = fields.choice("role", _ROLES)
    calls = tuple(_read_call(call) for call in fields.objects("tool_calls")) if role == "assistant" else ()
    text, media = _read_content(fields, optional=role in ("assistant", "function"))
    answers = fields.text("tool_call_id") if role == "tool" else ""
    return Message(role, text, media, fields.optional_text("name") or "", calls, answers)


def _read_content(fields: Fields, *, optional: bool) -> tuple[str, int]:
    """The text of a message, parts joined, and how many other media it has."""
    content = fields.get("content")
    if isinstance(content, str):
        return content, 0
    if isinstance(content, list):
        parts = [_read_part(part) for part in fields.objects("content")]
        return "".join(part for part in parts if part is not None), parts.count(None)
    if content is None and optional:
        return "", 0
    if content is None:
        raise missing(fields.path("content"))
    raise wrong_type(fields.path("content"), "a string or an array of parts", content)


def _read_part(fields: Fields) -> str | None:
    """The text of a part; None for other media."""
    kind = fields.choice("type", _PART_TYPES)
    if kind in ("text", "refusal"):
        return fields.text(kind)
    fields.needed_object(kind)
    return None


def _read_call(fields: Fields) -> Call:
    kind = fields.choice("type", ("function", "custom"))
    called = fields.needed_object(kind)
    return Call(fields.text("id"), called.text("name"), called.text("arguments" if kind == "function" else "input"))


def _check_calls_are_answered(messages: list[Message]) -> None:
    """As the provider does: all results of an assistant's calls follow it at once, and nothing else is a result."""
    known: set[str] = set()
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message.role == "tool":
            if message.answers not in known:
                text = f"'{where}' is a tool result that answers no tool call of the assistant message before it."
                raise ApiError(400, text, param=where)
            waiting.discard(message.answers)
            continue
        _check_none_waiting(waiting, where)
        known = {call.id for call in message.calls}
        waiting = set(known)
    _check_none_waiting(waiting, "messages")


def _check_none_waiting(waiting: set[str], where: str) -> None:
    if waiting:
        ids = ", ".join(sorted(waiting))
        raise ApiError(400, f"Tool calls of an assistant message have no tool result after it: {ids}.", param=where)

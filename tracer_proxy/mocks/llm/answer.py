"""What the mock says. It shows what it was asked, so that a person or a test sees which request an answer belongs to."""

from dataclasses import replace

from tracer_proxy import limits
from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.llm import schema_data, tools
from tracer_proxy.mocks.llm.conversation import Conversation, Reply, Tool, ToolCall, ToolResult
from tracer_proxy.mocks.llm.ids import Ids

_OPENINGS = ("You asked: “{}”", "Your question was: “{}”", "You wrote: “{}”", "I was asked: “{}”")
_CLOSING = "This answer comes from the mock behind {}: it thought about nothing, and it will say the same next time."
_SILENCE = "Nobody has asked anything yet."


def reply(conversation: Conversation, ids: Ids, number: int) -> Reply:
    """The reply of choice ``number``. Choices differ in their opening words, and in nothing else."""
    said = _said(conversation, ids, number)
    return replace(said, reasoning=_reasoning(conversation, said)) if conversation.reasons else said


def _said(conversation: Conversation, ids: Ids, number: int) -> Reply:
    chosen = tools.choose(conversation)
    if chosen:
        return Reply(calls=tuple(_call(tool, conversation) for tool in chosen))
    text = _from_results(conversation) if conversation.results else _from_question(conversation, ids, number)
    if conversation.schema is not None:
        return Reply(text=as_text(_as_data(conversation.schema, text)))
    return Reply(text=text)


def _call(tool: Tool, conversation: Conversation) -> ToolCall:
    return ToolCall(tool.name, as_text(schema_data.arguments(tool.parameters, quote(conversation.user_text))))


def _reasoning(conversation: Conversation, said: Reply) -> str:
    asked = f"The user wrote “{quote(conversation.user_text)}”." if conversation.user_text else "The user wrote nothing."
    if said.calls:
        return f"{asked} I call {', '.join(call.name for call in said.calls)} to find out."
    if conversation.results:
        return f"{asked} The tools have answered, and I repeat what they said."
    return f"{asked} I need no tool to answer that."


def quote(text: str) -> str:
    """A text on one line, cut to what is worth repeating."""
    line = " ".join(text[: 2 * limits.MOCK_QUOTE_CHARS_MAX].split())
    if len(line) <= limits.MOCK_QUOTE_CHARS_MAX:
        return line
    return line[: limits.MOCK_QUOTE_CHARS_MAX - 1] + "…"


def as_text(value: object) -> str:
    """JSON as a model would write it into its answer."""
    return json_text.write(value).decode()


def _from_question(conversation: Conversation, ids: Ids, number: int) -> str:
    question = quote(conversation.user_text)
    opening = ids.pick(_OPENINGS, number=number).format(question) if question else _SILENCE
    return f"{opening} {_CLOSING.format(quote(conversation.model))}"


def _from_results(conversation: Conversation) -> str:
    said = " ".join(_sentence(result) for result in conversation.results[: limits.MOCK_ITEMS_MAX])
    question = quote(conversation.user_text)
    return f"{said} That answers “{question}”." if question else f"{said} That is all there is to say."


def _sentence(result: ToolResult) -> str:
    return f"The tool {result.name} says: “{quote(result.text)}”."


def _as_data(schema: json_text.JsonObject, text: str) -> object:
    return schema_data.example(schema, text) if schema else {"answer": text}

"""What was asked and what is said, without any provider's spelling. Shared by all of them."""

from dataclasses import dataclass

from tracer_proxy.mocks.json_text import JsonObject


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool on offer; ``parameters`` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: JsonObject


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool said, with the name it was called by."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The part of a request that decides the reply."""

    model: str
    user_text: str
    """The last text of the user; empty if there is none."""
    results: tuple[ToolResult, ...] = ()
    """Tool results that stand at the end, waiting for an answer."""
    called: frozenset[str] = frozenset()
    """Names of the tools called since the user last spoke."""
    tools: tuple[Tool, ...] = ()
    """What may be called now; empty when calls are forbidden."""
    must_call: bool = False
    parallel: bool = True
    """Whether several tools may be called at once."""
    reasons: bool = False
    """Whether the reply shows what it was made from."""
    schema: JsonObject | None = None
    """The answer has to be JSON of this schema; an empty one asks for any object."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call; ``arguments`` is a JSON object as text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Either a text or tool calls, after the reasoning that led there if it is wanted."""

    text: str | None = None
    calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""

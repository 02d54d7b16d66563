"""``contents``: what was said so far, part by part, and that function calls and their responses belong together."""

from dataclasses import dataclass

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.conversation import ToolResult
from tracer_proxy.mocks.llm.gemini.fields import Fields
from tracer_proxy.mocks.llm.serving import Refused

_ROLES = ("user", "model", "function")
_CONTENT = frozenset({"role", "parts"})
_MEDIA = ("inlineData", "fileData")
_DATA = (
    "text",
    "functionCall",
    "functionResponse",
    *_MEDIA,
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
    "audioTranscription",
)
_MEDIUM_TOKENS = 258
"""An image; sounds and films are counted alike, for want of a better guess."""
_RESULT_NAMES = ("result", "output", "error")


@dataclass(frozen=True, slots=True)
class Part:
    """``kind`` is the field that holds its data; ``name`` that of the function called or answered."""

    kind: str
    tokens: int
    text: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What one side said."""

    role: str
    parts: tuple[Part, ...]

    def of_kind(self, kind: str) -> list[Part]:
        """Its parts that hold such data."""
        return [part for part in self.parts if part.kind == kind]


def read_contents(body: Fields, name: str = "contents") -> list[Content]:
    """Read and check ``contents``."""
    contents = [read_content(fields) for fields in body.objects(name)]
    if not contents:
        raise Refused(400, f"* GenerateContentRequest.{name}: {name} is not specified")
    _check_calls_are_answered(contents)
    return contents


def read_content(fields: Fields) -> Content:
    """Read one content. The role may be missing where there is one content only; it is the user's then."""
    fields.refuse_unknown(_CONTENT)
    role = fields.optional_text("role") or "user"
    if role not in _ROLES:
        raise Refused(400, "Please use a valid role: user, model.")
    parts = fields.objects("parts")
    if not parts:
        raise Refused(400, f"* GenerateContentRequest.{fields.path('parts')}: contents.parts must not be empty.")
    return Content(role, tuple(_read_part(part) for part in parts))


def said_tokens(contents: list[Content]) -> int:
    """Estimated tokens of all contents."""
    return sum(part.tokens for content in contents for part in content.parts)


def last_user_text(contents: list[Content]) -> str:
    """What the user said last; empty if nothing."""
    return next((text_of(content) for content in reversed(contents) if _speaks(content)), "")


def text_of(content: Content) -> str:
    """What its text parts say together."""
    return "".join(part.text for part in content.of_kind("text"))


def results_at_end(contents: list[Content]) -> tuple[ToolResult, ...]:
    """The function responses that the last content brings."""
    return tuple(ToolResult(part.name, part.text) for part in contents[-1].of_kind("functionResponse"))


def called_since_user(contents: list[Content]) -> frozenset[str]:
    """Names of the functions called since the user last spoke."""
    called: set[str] = set()
    for content in reversed(contents):
        if _speaks(content):
            break
        called.update(part.name for part in content.of_kind("functionCall"))
    return frozenset(called)


def _speaks(content: Content) -> bool:
    return content.role == "user" and bool(content.of_kind("text"))


def _read_part(fields: Fields) -> Part:
    kinds = [kind for kind in _DATA if fields.get(kind) is not None]
    if len(kinds) != 1:
        raise Refused(400, f"* GenerateContentRequest.{fields.path('data')}: exactly one field of 'data' must be set.")
    kind = kinds[0]
    match kind:
        case "text":
            text = fields.text("text")
            return Part("thought" if fields.flag("thought") else kind, tokens.count(text), text)
        case "functionCall":
            call = fields.needed_object(kind)
            return Part(kind, tokens.count(as_text(call.json("args"))), name=_function_name(call))
        case "functionResponse":
            response = fields.needed_object(kind)
            if response.get("response") is None:
                raise response.missing(response.path("response"))
            text = _result_text(response.json("response"))
            return Part(kind, tokens.count(text), text, _function_name(response))
        case "inlineData":
            data = fields.needed_object(kind)
            data.text("mimeType")
            data.text("data")
    return Part(kind, _MEDIUM_TOKENS)


def _function_name(fields: Fields) -> str:
    name = fields.optional_text("name")
    if not name:
        raise Refused(400, f"* GenerateContentRequest.{fields.path('name')}: Name cannot be empty.")
    return name


def _result_text(response: JsonObject) -> str:
    """A result is wrapped in an object, mostly one of a single member."""
    if len(response) == 1:
        name, value = next(iter(response.items()))
        if name in _RESULT_NAMES:
            return value if isinstance(value, str) else as_text(value)
    return as_text(response)


def as_text(value: object) -> str:
    """JSON as text."""
    return json_text.write(value).decode()


def _check_calls_are_answered(contents: list[Content]) -> None:
    for place, content in enumerate(contents):
        answers = content.of_kind("functionResponse")
        calls = contents[place - 1].of_kind("functionCall") if place else []
        if answers and not calls:
            raise Refused(400, "Please ensure that function response turn comes immediately after a function call turn.")
        if calls and len(answers) != len(calls):
            raise Refused(
                400,
                "Please ensure that the number of function response parts is equal to the number of function call parts of the "
                "function call turn.",
            )
    if contents[0].of_kind("functionCall"):
        raise Refused(
            400, "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
        )

"""Content blocks: what a message is made of."""

from dataclasses import dataclass

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.anthropic import thinking
from tracer_proxy.mocks.llm.anthropic.fields import Fields
from tracer_proxy.mocks.llm.serving import Refused

_MEDIUM_TOKENS = 1_600
"""A large image; a document whose text the mock cannot read is counted alike, for want of a better guess."""
_MEDIA = ("image", "document", "container_upload", "search_result", "tool_reference")
_SERVER_SIDE = (
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "mcp_tool_use",
    "mcp_tool_result",
)
"""Of tools that the provider runs itself."""
_KNOWN = ("text", "tool_use", "tool_result", "thinking", "redacted_thinking", *_MEDIA, *_SERVER_SIDE)
_RESULT_PARTS = ("text", *_MEDIA)


@dataclass(frozen=True, slots=True)
class Block:
    """One block. ``id`` is a tool call's, or the one a tool result answers; ``is_cached`` if a cached prefix ends with it."""

    type: str
    tokens: int
    text: str = ""
    id: str = ""
    name: str = ""
    is_cached: bool = False


def read_blocks(fields: Fields, name: str, *, known: tuple[str, ...] = _KNOWN, beta: bool = False) -> tuple[Block, ...]:
    """The blocks of a field that is a text or an array. A beta may bring types that are unknown here."""
    content = fields.get(name)
    if content is None:
        raise fields.missing(fields.path(name))
    if isinstance(content, str):
        return (Block("text", tokens.count(content), content),)
    if not isinstance(content, list):
        raise fields.wrong_type(fields.path(name), "a valid string or list", content)
    return tuple(_read_block(block, known, beta=beta) for block in fields.objects(name))


def texts(blocks: tuple[Block, ...]) -> str:
    """What the text blocks say together."""
    return "".join(block.text for block in blocks if block.type == "text")


def _read_block(fields: Fields, known: tuple[str, ...], *, beta: bool) -> Block:
    kind = fields.text("type")
    if kind not in known and not beta:
        raise fields.wrong_value(
            fields.path("type"), f"tag '{kind}' does not match any of the expected tags: {', '.join(known)}"
        )
    is_cached = fields.object("cache_control") is not None
    match kind:
        case "text":
            return _read_text(fields, is_cached=is_cached)
        case "tool_use":
            size = tokens.count(json_text.write(fields.json("input")).decode())
            if fields.get("input") is None:
                raise fields.missing(fields.path("input"))
            return Block(kind, size, id=fields.text("id"), name=fields.text("name"), is_cached=is_cached)
        case "tool_result":
            return _read_result(fields, is_cached=is_cached)
        case "thinking":
            thinking.check_signature(fields)
            return Block(kind, tokens.count(fields.text("thinking")))
        case "image" | "document":
            return Block(kind, _source_tokens(fields), is_cached=is_cached)
    return Block(kind, tokens.count(json_text.write(fields.json("source")).decode()), is_cached=is_cached)


def _read_text(fields: Fields, *, is_cached: bool) -> Block:
    text = fields.text("text")
    if not text:
        raise Refused(400, f"{fields.path('text')}: text content blocks must be non-empty")
    return Block("text", tokens.count(text), text, is_cached=is_cached)


def _read_result(fields: Fields, *, is_cached: bool) -> Block:
    fields.flag("is_error")
    parts = read_blocks(fields, "content", known=_RESULT_PARTS) if fields.get("content") is not None else ()
    size = sum(part.tokens for part in parts)
    return Block("tool_result", size, texts(parts), id=fields.text("tool_use_id"), is_cached=is_cached)


def _source_tokens(fields: Fields) -> int:
    """A document of plain text is as long as its text."""
    source = fields.needed_object("source")
    kind = source.text("type")
    if kind == "base64":
        source.text("data")
        source.text("media_type")
    return tokens.count(source.text("data")) if kind == "text" else _MEDIUM_TOKENS

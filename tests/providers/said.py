"""What a request says and what it is answered with, whatever the provider's words for it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
PIECE_CHARACTERS = 7
"""Of a text or of arguments in one event of a stream: small, so that every answer is several events."""


@dataclass(frozen=True)
class Said:
    model: str
    stream: bool
    prompt: str
    """The text of the last user message: it tells a test which run this is."""
    results: int
    """Of tools, since that message."""
    called_before: int
    """Calls that the whole conversation holds."""
    offers_tools: bool


@dataclass(frozen=True)
class HandedOut:
    call_id: str
    tool: str
    arguments: Json

    @property
    def arguments_text(self) -> str:
        return json.dumps(self.arguments)


@dataclass(frozen=True)
class Reply:
    id: str
    model: str
    created: int
    text: str
    calls: list[HandedOut] = field(default_factory=list)


def pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), PIECE_CHARACTERS):
        yield text[start : start + PIECE_CHARACTERS]


def text_of(content: object) -> str:
    """Of a message whose content is a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def sse(data: Json | str, event: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    named = f"event: {event}\n" if event else ""
    return f"{named}data: {text}\n\n".encode()

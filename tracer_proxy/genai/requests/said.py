"""What of a message counts for the digest of all that was said.

A message must count the same in each request that repeats it. Clients of Anthropic's prompt cache move ``cache_control`` from
message to message, and turn a string into a list of one text block to have a place for it. Neither is part of what was said.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Raw

_CACHE_CONTROL: Final = re.compile(rb',\s*"cache_control"\s*:\s*\{[^{}]*\}\s*(?=\}\s*\]\s*(?:,\s*"role"\s*:\s*"\w+"\s*)?\}$)')
"""As the last member of the last block, where those clients put it. A quote within a JSON string is escaped, so text that
speaks of such members never matches."""

# As the clients' JSON writers have it, without spaces or with one: a long history leaves time for nothing else.
_MARKED_ENDS: Final = (b'"}}]}', b'"}}],"role":"user"}', b'"}}], "role": "user"}')
_BLOCK_HEADS: Final = tuple(
    b'{"role":%b"%b",%b"content":%b[{"type":%b"text",%b"text":%b"' % (gap, role, gap, gap, gap, gap, gap)
    for gap in (b"", b" ")
    for role in (b"user", b"assistant")
)
_STRING_HEADS: Final = tuple(head[: head.index(b"[")] + b'"' for head in _BLOCK_HEADS)
_BLOCK_END: Final = b"}]}"
_ENDS_BYTES: Final = 128
"""Of a message, looked at on either side; all that is compared is shorter."""
_MARKED_MESSAGES: Final = 4
"""A client that moves its marks has one near the end of the conversation."""


def as_said(messages: Sequence[Raw]) -> Iterable[tuple[Raw | bytes | memoryview, ...]]:
    """Each message in pieces, which are not always JSON: good for a digest alone."""
    last = (bytes(memoryview(message)[-_ENDS_BYTES:]) for message in messages[-_MARKED_MESSAGES:])
    return map(_as_said, messages) if any(end.endswith(_MARKED_ENDS) for end in last) else as_it_stands(messages)


def as_it_stands(messages: Sequence[Raw]) -> Iterable[tuple[Raw]]:
    return zip(messages, strict=True)


def _as_said(raw: Raw) -> tuple[Raw | bytes | memoryview, ...]:
    message = memoryview(raw)
    head, tail = bytes(message[:_ENDS_BYTES]), bytes(message[-_ENDS_BYTES:])
    if tail.endswith(_MARKED_ENDS) and (mark := _CACHE_CONTROL.search(tail)):
        end, closing = len(message) - len(tail) + mark.start(), tail[mark.end() :]
    elif tail.endswith(_BLOCK_END):
        end, closing = len(message) - len(_BLOCK_END), _BLOCK_END
    else:
        return (raw,)
    if closing == _BLOCK_END and bytes(message[end - 1 : end]) == b'"':
        for block_head, string_head in zip(_BLOCK_HEADS, _STRING_HEADS, strict=True):
            if head.startswith(block_head):
                # Several blocks lose what surrounds them just the same, which makes them no other message.
                return string_head, message[len(block_head) : end], b"}"
    return message[:end], closing

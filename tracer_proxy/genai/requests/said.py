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
_HEADS: Final = tuple((head, head[: head.index(b"[")] + b'"') for head in _BLOCK_HEADS)
"""(of a message of one block, of one that is a string)."""
_BLOCK_END: Final = b"}]}"
_TEXT_END: Final = b'"}]}'
_QUOTE: Final = ord('"')
_TAIL_BYTES: Final = 24
_MARKED_MESSAGES: Final = 4
"""A client that moves its marks has one near the end of the conversation."""
_ENDS_BYTES: Final = 128
"""Of a message, looked at on either side; all that is compared is shorter."""


def as_said(messages: Sequence[Raw]) -> Iterable[tuple[Raw | bytes | memoryview, ...]]:
    """Each message in pieces, which are not always JSON: good for a digest alone."""
    last = (bytes(memoryview(message)[-_ENDS_BYTES:]) for message in messages[-_MARKED_MESSAGES:])
    # By the mark itself: what only ends like one, such as a call's arguments, must not make a conversation count in two ways.
    return map(_as_said, messages) if any(b'"cache_control"' in end for end in last) else as_it_stands(messages)


def as_it_stands(messages: Sequence[Raw]) -> Iterable[tuple[Raw]]:
    return zip(messages, strict=True)


def _as_said(raw: Raw) -> tuple[Raw | bytes | memoryview, ...]:
    message = memoryview(raw)
    end, closing = len(message) - len(_BLOCK_END), _BLOCK_END
    tail = bytes(message[-_TAIL_BYTES:])
    if tail.endswith(_MARKED_ENDS) and (mark := _CACHE_CONTROL.search(ending := bytes(message[-_ENDS_BYTES:]))):
        end, closing = len(message) - len(ending) + mark.start(), ending[mark.end() :]
    elif not tail.endswith(_TEXT_END):
        return (raw,)
    if closing == _BLOCK_END and message[end - 1] == _QUOTE:
        head = bytes(message[:_ENDS_BYTES])
        for block_head, string_head in _HEADS:
            if head.startswith(block_head):
                # Several blocks lose what surrounds them just the same, which makes them no other message.
                return string_head, message[len(block_head) : end], b"}"
    return message[:end], closing

"""What of a message counts for the digest of all that was said.

A message must count the same in each request that repeats it. Clients of Anthropic's prompt cache move ``cache_control`` from
message to message, and turn a string into a list of one text block to have a place for it. Neither is part of what was said.
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Raw

_CACHE_CONTROL: Final = re.compile(rb',\s*"cache_control"\s*:\s*\{[^{}]*\}\s*(?=\}\s*\]\s*(?:,\s*"role"\s*:\s*"\w+"\s*)?\}$)')
"""As the last member of the last block, where those clients put it. A quote within a JSON string is escaped, so text that
speaks of such members never matches."""
_CACHE_CONTROL_BYTES_MAX: Final = 128

# As the clients' JSON writers have it, without spaces or with one: a long history leaves time for nothing else.
_MARKED_ENDS: Final = (b'"}}]}', b'"}}],"role":"user"}', b'"}}], "role": "user"}')
_BLOCK_HEADS: Final = tuple(
    b'{"role":%b"%b",%b"content":%b[{"type":%b"text",%b"text":%b"' % (gap, role, gap, gap, gap, gap, gap)
    for gap in (b"", b" ")
    for role in (b"user", b"assistant")
)
_STRING_HEADS: Final = tuple(head[: head.index(b"[")] + b'"' for head in _BLOCK_HEADS)
_BLOCK_END: Final = b'"}]}'
_STRING_END: Final = b'"}'


def as_said(messages: Sequence[Raw]) -> list[bytes]:
    """Not always JSON: good for a digest alone."""
    return [
        _as_said(message) if message.startswith(_BLOCK_HEADS) or message.endswith(_MARKED_ENDS) else message
        for message in map(bytes, messages)
    ]


def _as_said(message: bytes) -> bytes:
    if message.endswith(_MARKED_ENDS):
        marked = _CACHE_CONTROL.search(message, max(0, len(message) - _CACHE_CONTROL_BYTES_MAX))
        message = message[: marked.start()] + message[marked.end() :] if marked else message
    if message.endswith(_BLOCK_END):
        for head, string_head in zip(_BLOCK_HEADS, _STRING_HEADS, strict=True):
            if message.startswith(head):
                # Several blocks lose what surrounds them just the same, which makes them no other message.
                return string_head + message[len(head) : -len(_BLOCK_END)] + _STRING_END
    return message

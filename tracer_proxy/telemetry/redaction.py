"""What a URL may carry and nobody may read in a log: keys, tokens and signatures in its query."""

import re
from urllib.parse import unquote_plus

REDACTED = "REDACTED"

_TELLING = re.compile(
    r"key|token|secret|passw|pwd|passphrase|signature|credential|auth|jwt|cookie|(?<![a-z])sig(?![a-z])|^x-(?:amz|goog)-|^code$",
    re.IGNORECASE,
)
"""Names whose value is a secret, or may be one: rather ``max_tokens`` too much than a key too few."""
_BORDERS = re.compile("([&;])")
"""Some servers part parameters by a semicolon."""


def is_telling(name: str) -> bool:
    """Whether what has this name is a secret, or may be one."""
    return _TELLING.search(name) is not None


def redacted_query(query: str) -> str:
    """The query with its secret values replaced; names stay, so that one sees that there was one."""
    return "".join(_redacted(part) for part in _BORDERS.split(query))


def _redacted(part: str) -> str:
    name, is_pair, value = part.partition("=")
    return f"{name}={REDACTED}" if is_pair and value and is_telling(unquote_plus(name)) else part

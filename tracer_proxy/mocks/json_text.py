"""JSON as the mocks read and write it: strict where Python is lenient, and safe to write again once it was read."""

import hashlib
import json
import math
from typing import Any

from tracer_proxy import limits

JsonObject = dict[str, Any]


class BadJson(ValueError):
    """Why a text is refused, in one sentence for its sender."""


def read(text: bytes) -> Any:
    """Read one JSON value; raises ``BadJson``.

    NaN, infinities (``1e999`` too) and deep nesting are refused, so whatever is returned can be written by ``write``.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except BadJson:
        raise
    except (ValueError, RecursionError) as error:
        raise BadJson(f"The text is not valid JSON: {error}.") from None
    _check(value)
    return value


def write(value: Any) -> bytes:
    """Compact UTF-8. A lone surrogate, which JSON can spell and UTF-8 cannot, becomes its ``\\uXXXX`` escape again."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def digest(value: Any) -> bytes:
    """32 bytes that depend on what a value says, not on how its sender ordered or spaced it."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).digest()


def _refuse_constant(name: str) -> None:
    raise BadJson(f"{name} is not a JSON value.")


def _check(value: Any) -> None:
    level = [value]
    for _ in range(limits.MOCK_JSON_DEPTH_MAX):
        if any(isinstance(node, float) and not math.isfinite(node) for node in level):
            raise BadJson("A number is too large for a double.")
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise BadJson(f"The JSON is nested deeper than {limits.MOCK_JSON_DEPTH_MAX} levels.")


def _children(node: Any) -> Any:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()

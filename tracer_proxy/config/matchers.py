"""Values that say what to look at in a request: matchers and the rungs of a stickiness ladder."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from pydantic_core import PydanticCustomError

from tracer_proxy.config.choices import alternatives, hint
from tracer_proxy.config.values import VARIABLE_SCHEMA, Form, read_flag, text, wrong, wrong_key
from tracer_proxy.genai.json_pointer import Pointer, parse_pointer

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 5.6.2; also what RFC 6265 and W3C Baggage take as a cookie's name and as a key."""
_METHOD = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
_BARE_RUNGS = ("harness", "body", "a2a", "answer", "trace")
"""Places to look that need no name."""
_KINDS = ("exact", "prefix", "regex", "present")


@dataclass(frozen=True, slots=True)
class Matcher:
    kind: Literal["exact", "prefix", "regex", "present"]
    value: str | bool
    """A truth value for ``present``, else text; a ``regex`` is known to compile."""


@dataclass(frozen=True, slots=True)
class Sticky:
    """One rung of the ladder that looks for a session key."""

    kind: Literal["header", "harness", "body", "a2a", "query", "cookie", "baggage", "answer", "trace"]
    name: str = ""
    """Header names in lower case; a JSON pointer for ``body``, or empty for all places that are known."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


def read_regex(value: object) -> str:
    """A pattern that Python's ``re`` compiles without an error or a warning, for bytes as they come in a head."""
    pattern = text(value, "a regular expression")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern.encode())
    except (re.error, OverflowError, RecursionError, UnicodeError, Warning) as error:
        raise wrong(f"expected a regular expression of Python's re module: {error}") from None
    return pattern


def read_path(value: object) -> str:
    """A path as it stands in a request line, from its first slash."""
    path = text(value, "a path that starts with /")
    if not path.startswith("/"):
        raise wrong("expected a path that starts with /")
    if not re.fullmatch(r"[!-~]+", path) or "?" in path or "#" in path:
        raise wrong("expected a path as in a request line: visible ASCII (percent-encode the rest), without ? and #")
    return path


def read_pointer(value: object) -> Pointer:
    expectation = "a JSON pointer such as /metadata/tenant"
    try:
        return parse_pointer(text(value, expectation))
    except ValueError as error:
        raise wrong(f"expected {expectation}: {error}") from None


def read_header_name(value: object) -> str:
    return _read_token(value, "a header name").lower()


def _read_method(value: object) -> str:
    expectation = "a method such as GET; methods are written in capitals"
    if not _METHOD.fullmatch(text(value, expectation)):
        raise wrong(f"expected {expectation}")
    return str(value)


def _read_token(value: object, expectation: str) -> str:
    if not _TOKEN.fullmatch(text(value, expectation)):
        raise wrong(f"expected {expectation}: letters, digits and !#$%&'*+-.^_`|~")
    return str(value)


def _matcher_reader(*, plain: str, kinds: tuple[str, ...], read: Callable[[object], str]) -> Callable[[object], Matcher]:
    """``plain`` is what a bare string means, ``read`` checks texts that are compared as they stand."""

    readers: dict[str, Callable[[object], str | bool]] = {"regex": read_regex, "present": read_flag}

    def read_matcher(value: object) -> Matcher:
        if not isinstance(value, dict):
            return Matcher(cast(Any, plain), read(value))
        for key in value:
            if key not in kinds:
                raise wrong_key(key, f"unknown key {key!r}{hint(key, kinds, 'keys')}")
        if len(value) != 1:
            raise wrong(f"expected text, or a mapping with one key of {', '.join(kinds)}")
        ((kind, operand),) = value.items()
        try:
            return Matcher(cast(Any, kind), readers.get(kind, read)(operand))
        except PydanticCustomError as error:
            raise wrong(error.message(), kind) from None

    return read_matcher


def _read_sticky(value: object) -> Sticky:
    expectation = f"header:NAME, query:NAME, cookie:NAME, baggage:KEY, body:/POINTER, {alternatives(_BARE_RUNGS)}"
    kind, _, name = text(value, expectation).partition(":")
    if value in _BARE_RUNGS:
        return Sticky(cast(Any, value))
    if kind not in ("header", "query", "cookie", "baggage", "body") or not name:
        raise wrong(f"expected {expectation}")
    if kind == "body":
        read_pointer(name)
        return Sticky("body", name)
    if kind == "header":
        return Sticky("header", read_header_name(name))
    return Sticky(cast(Any, kind), name if kind == "query" else _read_token(name, f"the name of a {kind}"))


def _schema(kinds: tuple[str, ...], plain: dict[str, Any]) -> dict[str, Any]:
    keys: dict[str, Any] = {kind: {"type": "string"} for kind in kinds}
    if "present" in kinds:
        keys["present"] = {"anyOf": [{"type": "boolean"}, VARIABLE_SCHEMA]}
    mapping = {"type": "object", "properties": keys, "additionalProperties": False, "minProperties": 1, "maxProperties": 1}
    return {"anyOf": [plain, mapping]}


_STICKY = {"type": "string", "pattern": f"^({'|'.join(_BARE_RUNGS)}|(header|query|cookie|baggage):.+|body:/.*)$"}
_PATH_KINDS = ("exact", "prefix", "regex")

ValueMatcher = Annotated[
    Matcher,
    Form("[matcher](#matchers)", _matcher_reader(plain="exact", kinds=_KINDS, read=text), _schema(_KINDS, {"type": "string"})),
]
PathMatcher = Annotated[
    Matcher,
    Form(
        "[path matcher](#matchers)",
        _matcher_reader(plain="prefix", kinds=_PATH_KINDS, read=read_path),
        _schema(_PATH_KINDS, {"type": "string", "pattern": "^/"}),
    ),
]
StickyRung = Annotated[Sticky, Form("place to look", _read_sticky, _STICKY)]
JsonPointer = Annotated[Pointer, Form("JSON pointer", read_pointer, {"type": "string", "pattern": "^/"})]
Path = Annotated[str, Form("path", read_path, {"type": "string", "pattern": "^/"})]
Regex = Annotated[str, Form("regular expression", read_regex, {"type": "string", "format": "regex"})]
HeaderName = Annotated[str, Form("header name", read_header_name, {"type": "string"})]
ParameterName = Annotated[str, Form("name", text, {"type": "string"})]
CookieName = Annotated[str, Form("cookie name", lambda value: _read_token(value, "a cookie name"), {"type": "string"})]
Method = Annotated[str, Form("method", _read_method, {"type": "string"})]

"""One test of one value: equals, starts with, matches, is there."""

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote_to_bytes


class Matcher:
    """``test(value)`` says whether it holds; ``value`` is ``None`` when the request has none. ``str()`` is for ``explain``."""

    __slots__ = ("_text", "test")

    def __init__(self, text: str, test: Callable[[bytes | None], bool]) -> None:
        self._text = text
        self.test = test

    def __str__(self) -> str:
        return self._text


def exact(expected: str) -> Matcher:
    return Matcher(f"= {expected!r}", partial(_equals, expected.encode()))


def prefix(expected: str) -> Matcher:
    return Matcher(f"starts with {expected!r}", partial(_starts, expected.encode()))


def suffix(expected: str) -> Matcher:
    return Matcher(f"ends with {expected!r}", partial(_ends, expected.encode()))


def regex(pattern: str) -> Matcher:
    """The pattern must match the whole value."""
    return Matcher(f"matches {pattern!r}", partial(_matches, re.compile(pattern.encode())))


def present(wanted: bool) -> Matcher:
    return Matcher("is there" if wanted else "is not there", partial(_is_there, wanted))


def path_prefix(expected: str) -> Matcher:
    """On segment borders: ``/agents`` matches ``/agents`` and ``/agents/x``, not ``/agentsmith``."""
    whole = expected.rstrip("/").encode()
    return Matcher(f"under {expected!r}", partial(_is_under, whole, whole + b"/"))


# Functions of the module and not closures: a table travels from the process that compiles it to those that route by it.


def _equals(wanted: bytes, value: bytes | None) -> bool:
    return value == wanted


def _starts(wanted: bytes, value: bytes | None) -> bool:
    return value is not None and value.startswith(wanted)


def _ends(wanted: bytes, value: bytes | None) -> bool:
    return value is not None and value.endswith(wanted)


def _matches(pattern: re.Pattern[bytes], value: bytes | None) -> bool:
    return value is not None and pattern.fullmatch(value) is not None


def _is_there(wanted: bool, value: bytes | None) -> bool:
    return (value is not None) is wanted


def _is_under(whole: bytes, inner: bytes, value: bytes | None) -> bool:
    return value is not None and (value == whole or value.startswith(inner))


def cookie_value(cookies: bytes | None, name: bytes) -> bytes | None:
    """The value of the first cookie called ``name`` (RFC 6265 4.2), quotes removed."""
    if cookies is None:
        return None
    for pair in cookies.split(b";"):
        key, equals, value = pair.partition(b"=")
        if equals and key.strip() == name:
            return value.strip().strip(b'"')
    return None


def query_value(query: bytes, name: bytes) -> bytes | None:
    """The decoded value of the first parameter called ``name``."""
    for pair in query.split(b"&") if query else ():
        key, _, value = pair.partition(b"=")
        if unquote_to_bytes(key.replace(b"+", b" ")) == name:
            return unquote_to_bytes(value.replace(b"+", b" "))
    return None

"""JSON, one level at a time.

A conversation of a megabyte is skipped, not built: a list or an object comes as its members' raw text, and only those that
matter are looked into further. Nothing here raises; what cannot be read is ``None``, and takes nothing beside it along.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import Raw

Json: TypeAlias = list[Raw] | dict[str, Raw] | str | int | float | bool | None
Members: TypeAlias = dict[str, Json]
Object: TypeAlias = Mapping[str, Raw]

_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
_value: msgspec.json.Decoder[Json] = msgspec.json.Decoder(Json)
_members: msgspec.json.Decoder[Members] = msgspec.json.Decoder(Members)
_object = msgspec.json.Decoder(dict[str, Raw])
_NOTHING: dict[str, Raw] = {}
NULL = Raw(b"null")
_Kind = TypeVar("_Kind")


def value(raw: bytes | Raw) -> Json:
    try:
        return _value.decode(raw)
    except _UNREADABLE:
        return None


def members(raw: bytes) -> Members | None:
    """Of a whole body; ``None`` when it is no object, nested beyond all reason, or holds half a surrogate pair."""
    try:
        return _members.decode(raw)
    except RecursionError:
        return None
    except (msgspec.MsgspecError, UnicodeError):
        # One member may hold what no type can: a number out of range, broken UTF-8. The others count all the same.
        try:
            return {name: value(held) for name, held in _object.decode(raw).items()}
        except _UNREADABLE:
            return None


def reader(kind: type[_Kind], unreadable: _Kind) -> Callable[[bytes | Raw], _Kind]:
    """Of what is read for every request: members that are not named in ``kind`` cost next to nothing."""
    decode = msgspec.json.Decoder(kind).decode

    def read(raw: bytes | Raw) -> _Kind:
        try:
            return decode(raw)
        except _UNREADABLE:
            return unreadable

    return read


def part(raw: bytes | Raw) -> dict[str, Raw]:
    """The members of one of many; what is no object has none."""
    try:
        return _object.decode(raw)
    except _UNREADABLE:
        return _NOTHING


def parts(among: Json) -> list[dict[str, Raw]]:
    return [part(raw) for raw in among] if isinstance(among, list) else []


def member(held: Json | Object, name: str) -> Json:
    """Of an object; ``None`` where there is none."""
    return value(held[name]) if isinstance(held, dict) and name in held else None


def text_of(held: Json | Object, name: str) -> str:
    return text(member(held, name))


def written(raw: Raw) -> str | bytes:
    """A value as text: a string as it is, anything else as its JSON; empty for nothing."""
    found = value(raw)
    return found if isinstance(found, str) else b"" if found is None else bytes(raw)


def written_of(held: Json | Object, name: str) -> str | bytes:
    return written(held[name]) if isinstance(held, dict) and name in held else b""


def text(found: Json) -> str:
    return found if isinstance(found, str) else ""


def json_text(found: Json) -> str:
    """As ``written``, of a value."""
    if isinstance(found, str):
        return found
    return "" if found is None else msgspec.json.encode(found).decode(errors="replace")

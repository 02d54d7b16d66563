"""A span as plain data. Ids are lower-case hex, times are nanoseconds of Unix time."""

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

AttributeValue: TypeAlias = str | bool | int | float | list[str]
Attributes: TypeAlias = dict[str, AttributeValue]


class Kind(Enum):
    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


class SpanEvent(Struct):
    name: str
    at_ns: int
    attributes: Attributes


class SpanLink(Struct):
    trace_id: str
    span_id: str
    attributes: Attributes


class SpanData(Struct):
    name: str
    kind: Kind
    trace_id: str
    span_id: str
    parent_id: str
    """Empty at the root of a trace."""
    is_parent_remote: bool
    trace_state: str
    start_ns: int
    end_ns: int
    attributes: Attributes
    events: list[SpanEvent]
    links: list[SpanLink]
    is_error: bool
    """The status: error, or else unset."""
    description: str
    """Of an error; empty where the status code explains it."""

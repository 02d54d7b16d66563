"""What a colour rule may ask of a request."""

import re
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, datetime, time, tzinfo
from typing import Annotated, NamedTuple

from pydantic import Field

from tracer_proxy.config.addresses import Network
from tracer_proxy.config.matchers import CookieName, HeaderName, JsonPointer, ParameterName, PathMatcher, ValueMatcher
from tracer_proxy.config.part import Part
from tracer_proxy.config.values import Form, OneOrMany, choice_form, number_form, text, text_form, wrong

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)")


class Hours(NamedTuple):
    opens: time
    closes: time

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"


def _read_moment(value: object) -> datetime:
    """Without an offset it is meant in the ``zone`` beside it."""
    try:
        return datetime.fromisoformat(text(value, "a time such as 2026-12-01T09:00"))
    except ValueError:
        raise wrong("expected a time such as 2026-12-01T09:00 or 2026-12-01T09:00+01:00") from None


def _read_hours(value: object) -> Hours:
    expectation = "hours of the day such as 09:00-17:30; the second may be earlier, on the next day"
    found = _HOURS.fullmatch(text(value, expectation))
    if found is None or (found[3] == "24" and found[4] != "00"):
        raise wrong(f"expected {expectation}")
    return Hours(time(int(found[1]), int(found[2])), time(int(found[3]) % 24, int(found[4])))


def _read_zone(value: object) -> tzinfo:
    name = text(value, "a time zone such as Europe/Berlin")
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        told = "expected UTC or a time zone that this machine knows, such as Europe/Berlin"
        raise wrong(f"{told} (slim images know none until tzdata is installed)") from None


Percent = Annotated[float, number_form(0, 100)]
Experiment = Annotated[
    str, text_form("name", r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name of up to 64 letters, digits and . _ -")
]
Day = Annotated[str, choice_form(*_DAYS)]
Moment = Annotated[datetime, Form("time", _read_moment, {"type": "string"})]
HoursOfDay = Annotated[Hours, Form("hours", _read_hours, {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]-"})]
Zone = Annotated[tzinfo, Form("time zone", _read_zone, {"type": "string"})]


class TimeWindow(Part):
    """When it holds; all that is given must."""

    after: Moment | None = Field(None, description="From this moment on, such as `2026-12-01T09:00`.")
    before: Moment | None = Field(None, description="Until this moment.")
    days: Annotated[tuple[Day, ...], OneOrMany()] = Field((), description="Days of the week; left out, every day.")
    hours: HoursOfDay | None = Field(
        None, description="Hours of the day, such as `09:00-17:30`; `22:00-06:00` goes on into the next day."
    )
    zone: Zone = Field(UTC, description="Time zone of all of these, such as `Europe/Berlin`.")


class When(Part):
    """What a request must have to get a colour. At least one key; all that are given must hold."""

    header: Mapping[HeaderName, ValueMatcher] = Field({}, description="Request headers, each with a matcher.")
    cookie: Mapping[CookieName, ValueMatcher] = Field({}, description="Cookies, each with a matcher.")
    query: Mapping[ParameterName, ValueMatcher] = Field({}, description="Query parameters, each with a matcher.")
    path: PathMatcher | None = Field(None, description="The path; bare text is a prefix that ends on a segment border.")
    agent: ValueMatcher | None = Field(None, description="The id of the calling agent, from its header `x-agent-id`.")
    model: ValueMatcher | None = Field(None, description="The model that is asked for, from the body or Gemini's path.")
    body: Mapping[JsonPointer, ValueMatcher] = Field(
        {}, description="Places in a JSON body of up to 2 MiB, by JSON pointer, each with a matcher."
    )
    client: Annotated[tuple[Network, ...], OneOrMany()] = Field(
        (), description="Networks that the caller's address is in: `loopback`, `private`, or CIDRs."
    )
    certificate: ValueMatcher | None = Field(
        None, description="A name in the caller's certificate: its common name, or one of its alternative names."
    )
    time: TimeWindow | None = Field(None, description="When it holds.")
    percent: Percent | None = Field(
        None, description="This share of session keys; raising it only adds sessions, and never swaps them."
    )
    experiment: Experiment | None = Field(
        None,
        description="Rules that name the same experiment draw the same sessions for `percent`; "
        "without it each rule draws for itself.",
    )
    all: "tuple[When, ...]" = Field((), description="Conditions that must all hold.")
    any: "tuple[When, ...]" = Field((), description="Conditions of which one must hold.")
    not_: "When | None" = Field(None, alias="not", description="A condition that must not hold.")

    @property
    def is_empty(self) -> bool:
        """It asks for nothing."""
        return all(not held and held != 0 for name, held in self if name != "experiment")

"""When a rule with a time holds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from routing_cases import table_of

from tracer_proxy.errors import ConfigError
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.condition import Condition
from tracer_proxy.wire.request import RequestHead


def window(time: str) -> Condition:
    table = table_of(
        f"version: 1\ncoloring: [{{color: blue, when: {{time: {{{time}}}}}}}]\n"
        "routes: [{name: all, lanes: [{name: only, pool: only}]}]\n"
        "pools: {only: {endpoints: [http://127.0.0.1:7001]}}\n"
    )
    assert table.rules_read_clock
    return table.color_rules[0].condition


def holds(by: Condition, moment: str, head: RequestHead | None = None) -> bool:
    asking = Asking(head)  # type: ignore[arg-type]  # a time is all that is looked at
    asking.now = datetime.fromisoformat(moment).timestamp()
    return by.holds(asking, b"s")


@pytest.mark.parametrize(
    ("time", "inside", "outside"),
    [
        ("after: 2026-12-01T09:00", ["2026-12-01T09:00Z", "2027-01-01T00:00Z"], ["2026-12-01T08:59:59Z"]),
        ("before: '2026-12-01 09:00'", ["2026-12-01T08:59:59Z"], ["2026-12-01T09:00Z"]),
        ("after: 2026-12-01T09:00+01:00", ["2026-12-01T08:00Z"], ["2026-12-01T07:59Z"]),
        ("after: 2026-07-01T09:00, zone: Europe/Berlin", ["2026-07-01T07:00Z"], ["2026-07-01T06:59Z"]),
        ("days: [sat, sun]", ["2026-11-28T00:00Z", "2026-11-29T23:59Z"], ["2026-11-27T23:59Z", "2026-11-30T00:00Z"]),
        ("hours: '09:00-17:30'", ["2026-11-25T09:00Z", "2026-11-25T17:29:59Z"], ["2026-11-25T08:59Z", "2026-11-25T17:30Z"]),
        ("hours: '18:00-24:00'", ["2026-11-25T23:59:59Z"], ["2026-11-26T00:00Z", "2026-11-25T17:59Z"]),
        ("hours: '22:00-06:00'", ["2026-11-25T22:00Z", "2026-11-26T05:59Z"], ["2026-11-25T21:59Z", "2026-11-26T06:00Z"]),
        # The day is that on which it opened.
        ("days: fri, hours: '22:00-06:00'", ["2026-11-27T23:00Z", "2026-11-28T05:00Z"], ["2026-11-27T05:00Z"]),
        ("hours: '09:00-10:00', zone: America/New_York", ["2026-11-25T14:30Z", "2026-07-01T13:30Z"], ["2026-11-25T09:30Z"]),
    ],
)
def test_windows(time: str, inside: list[str], outside: list[str]) -> None:
    by = window(time)
    assert [moment for moment in inside if not holds(by, moment)] == []
    assert [moment for moment in outside if holds(by, moment)] == []


@given(st.integers(0, 10**6), st.integers(0, 23), st.integers(0, 23))
def test_every_minute_is_in_a_window_or_in_the_rest_of_the_day(minutes: int, opens: int, closes: int) -> None:
    if opens == closes:
        return
    moment = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)).isoformat()
    one, rest = window(f"hours: '{opens:02}:00-{closes:02}:00'"), window(f"hours: '{closes:02}:00-{opens:02}:00'")
    assert holds(one, moment) is not holds(rest, moment)


@pytest.mark.parametrize(
    ("time", "told"),
    [
        ("zone: Europe/Atlantis", "time zone"),
        ("hours: '9-17'", "hours of the day"),
        ("hours: '09:00-24:30'", "hours of the day"),
        ("after: tomorrow", "a time such as"),
        ("days: [monday]", "did you mean 'mon'"),
    ],
)
def test_what_is_no_window(time: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        window(time)
    assert told in str(raised.value.problems[0])

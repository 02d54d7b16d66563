"""A worker's side: all its meters, and what has changed in them since control last confirmed.

One delta is under way at a time. Until control has confirmed it, ``take`` gives the same one again, and the meters go on
counting; so nothing is lost while control is dead, nothing is counted twice, and what waits needs no more room than one
delta. Control knows a delta that it has by its run and its number (``Totals.add``).
"""

from collections.abc import Callable, Iterable
from typing import TypedDict, TypeVar

from tracer_proxy.limits import COLORS_COUNTED_MAX, METERS_RETIRED_MAX
from tracer_proxy.telemetry.meters import Changes, Collected, EndpointMeter, Labels, LaneMeter, WorkerMeter

NO_COLOR = 0
OTHER_COLOR = 1

_Names = tuple[str, str]
_M = TypeVar("_M")


class Delta(TypedDict):
    """Fits into JSON. A series is told by the name of its metric and the values of its labels."""

    run: str
    """Which life of a worker this is: numbers begin again with each."""
    number: int
    """From 1, without gaps."""
    whole: bool
    """All gauges there are, in place of those that changed."""
    added: list[tuple[str, Labels, float]]
    observed: list[tuple[str, Labels, Changes]]
    gauges: list[tuple[str, Labels, float | None]]
    """``None`` for one that has gone."""


class Meters:
    """Lives as long as its worker, over all its tables. ``run`` must differ from that of every other worker's life.

    ``unrouted`` counts the exchanges that no route matched, or that failed before one was looked for.
    """

    def __init__(self, run: str) -> None:
        self.worker = WorkerMeter()
        self.unrouted = LaneMeter("", "")
        self._run = run
        self._number = 0
        self._under_way: Delta | None = None
        self._next_is_whole = True
        self._lanes: dict[_Names, LaneMeter] = {}
        self._endpoints: dict[_Names, EndpointMeter] = {}
        self._retired_lanes: dict[_Names, LaneMeter] = {}
        self._retired_endpoints: dict[_Names, EndpointMeter] = {}
        self._colors = ["", "other"]
        self._color_numbers = {b"": NO_COLOR}

    def load(self, lanes: Iterable[_Names], endpoints: Iterable[_Names], colors: Iterable[bytes]) -> None:
        """What a new table has: (route, lane), (pool, address), and the colours that its rules and lanes name.

        Meters of the same names go on. Others retire: exchanges that began with an older table still count there.
        """
        for color in colors:
            if color not in self._color_numbers and len(self._colors) < COLORS_COUNTED_MAX:
                self._color_numbers[color] = len(self._colors)
                self._colors.append(color.decode())
        self._lanes, self._retired_lanes = _carried_over(LaneMeter, lanes, self._lanes, self._retired_lanes)
        self._endpoints, self._retired_endpoints = _carried_over(
            EndpointMeter, endpoints, self._endpoints, self._retired_endpoints
        )

    def lane(self, route: str, lane: str) -> LaneMeter:
        """Of the table last loaded, else KeyError."""
        return self._lanes[route, lane]

    def endpoint(self, pool: str, address: str) -> EndpointMeter:
        """Of the table last loaded, else KeyError."""
        return self._endpoints[pool, address]

    def color(self, color: bytes) -> int:
        """The number that ``LaneMeter.exchange_done`` takes; colours that no config named share one."""
        return self._color_numbers.get(color, OTHER_COLOR)

    def take(self) -> Delta:
        """What control has not confirmed, if there is such a delta, else all that has changed since."""
        if self._under_way is not None:
            self.worker.deltas_resent += 1
            return self._under_way
        found = self._collect()
        self._number += 1
        self._under_way = Delta(
            run=self._run,
            number=self._number,
            whole=self._next_is_whole,
            added=found.added,
            observed=found.observed,
            gauges=found.gauges,
        )
        self._next_is_whole = False
        return self._under_way

    @property
    def is_behind(self) -> bool:
        """What ``take`` gives has been taken before: there may be newer counts."""
        return self._under_way is not None

    def confirm(self, run: str, number: int) -> None:
        """Control has added the delta up. Confirming another one than that under way does nothing."""
        if self._under_way is not None and (run, number) == (self._run, self._number):
            self._under_way = None

    def report_again(self) -> None:
        """There is a new control that may not know any gauge: the next delta that is collected has all of them."""
        self._next_is_whole = True
        for meter in self._endpoints.values():
            meter.report_again()

    def _collect(self) -> Collected:
        into = Collected()
        self.worker.collect(into)
        for lane in (self.unrouted, *self._lanes.values(), *self._retired_lanes.values()):
            lane.collect(into, self._colors)
        for endpoint in self._retired_endpoints.values():
            endpoint.standing = None
        for endpoint in (*self._endpoints.values(), *self._retired_endpoints.values()):
            endpoint.collect(into)
        # Only now that they are empty may the oldest go.
        _keep_newest(self._retired_lanes)
        _keep_newest(self._retired_endpoints)
        return into


def _carried_over(
    make: Callable[[str, str], _M], wanted: Iterable[_Names], current: dict[_Names, _M], retired: dict[_Names, _M]
) -> tuple[dict[_Names, _M], dict[_Names, _M]]:
    """What is current from now on, and what is retired, in the order of retirement."""
    left = {**retired, **current}
    found = {names: left.pop(names) if names in left else make(*names) for names in dict.fromkeys(wanted)}
    return found, left


def _keep_newest(retired: dict[_Names, _M]) -> None:
    while len(retired) > METERS_RETIRED_MAX:
        del retired[next(iter(retired))]

"""A worker's side: all its meters, and what has changed in them since control last confirmed.

One delta is under way at a time. Until control has confirmed it, ``take`` gives the same one again, and the meters go on
counting; so nothing is lost while control is dead, nothing is counted twice, and what waits needs no more room than one
delta. Control knows a delta that it has by its run and its number (``Totals.add``).
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypedDict, TypeVar

from tracer_proxy.limits import COLORS_COUNTED_MAX, METERS_RETIRED_MAX, TURN_LEGS_MAX
from tracer_proxy.telemetry.collected import Changes, Collected, Exemplar, Labels
from tracer_proxy.telemetry.gen_ai_meter import GenAiMeter
from tracer_proxy.telemetry.http_meters import HttpClientMeter, HttpServerMeter
from tracer_proxy.telemetry.meters import EndpointMeter, LaneMeter, WorkerMeter
from tracer_proxy.telemetry.turns import PlainLeg

NO_COLOR = 0
OTHER_COLOR = 1

_Names = tuple[str, str]
_Server = tuple[str, int]
_K = TypeVar("_K")
_M = TypeVar("_M")


class Delta(TypedDict):
    """Fits into JSON. A series is told by the name of its metric and the values of its labels."""

    run: str
    """Which life of a worker this is: numbers begin again with each."""
    number: int
    """From 1, without gaps."""
    at: float
    """When it was collected, in Unix seconds."""
    whole: bool
    """All gauges there are, in place of those that changed."""
    added: list[tuple[str, Labels, float]]
    observed: list[tuple[str, Labels, Changes, Exemplar | None]]
    gauges: list[tuple[str, Labels, float | None]]
    """``None`` for one that has gone."""
    evidence: list[tuple[str, str, Any]]
    """Route, lane and what it has to show (``evidence.to_plain``), of judged lanes that had exchanges."""
    turns: list[PlainLeg]
    """Where a rollout judges by the tokens of turns."""


class Meters:
    """Lives as long as its worker, over all its tables. ``run`` must differ from that of every other worker's life.

    ``unrouted`` and ``unrouted_http`` count the exchanges that no route matched, or that failed before one was looked for.
    """

    def __init__(self, run: str) -> None:
        self.worker = WorkerMeter()
        self.gen_ai = GenAiMeter()
        self.unrouted = LaneMeter("", "")
        self.unrouted_http = HttpServerMeter("")
        self.turns: deque[PlainLeg] = deque(maxlen=TURN_LEGS_MAX)
        self._run = run
        self._number = 0
        self._under_way: Delta | None = None
        self._next_is_whole = True
        self._lanes = _Named[_Names, LaneMeter](lambda names: LaneMeter(*names))
        self._endpoints = _Named[_Names, EndpointMeter](lambda names: EndpointMeter(*names))
        self._http_routes = _Named[str, HttpServerMeter](HttpServerMeter)
        self._servers = _Named[_Server, HttpClientMeter](lambda server: HttpClientMeter(*server))
        self._colors = ["", "other"]
        self._color_numbers = {b"": NO_COLOR}

    def load(
        self,
        lanes: Iterable[_Names],
        endpoints: Iterable[_Names],
        colors: Iterable[bytes],
        http_routes: Iterable[str] = (),
        servers: Iterable[_Server] = (),
    ) -> None:
        """What a new table has: (route, lane), (pool, address), the colours that its rules and lanes name, ``http_route`` of
        its routes, and (host, port) of its endpoints.

        Meters of the same names go on. Others retire: exchanges that began with an older table still count there.
        """
        for color in colors:
            if color not in self._color_numbers and len(self._colors) < COLORS_COUNTED_MAX:
                self._color_numbers[color] = len(self._colors)
                self._colors.append(color.decode())
        self._lanes.load(lanes)
        self._endpoints.load(endpoints)
        self._http_routes.load(http_routes)
        self._servers.load(servers)

    def lane(self, route: str, lane: str) -> LaneMeter:
        """Of the table last loaded, else KeyError; as the three below."""
        return self._lanes.current[route, lane]

    def endpoint(self, pool: str, address: str) -> EndpointMeter:
        return self._endpoints.current[pool, address]

    def http_route(self, http_route: str) -> HttpServerMeter:
        return self._http_routes.current[http_route]

    def server(self, host: str, port: int) -> HttpClientMeter:
        return self._servers.current[host, port]

    def color(self, color: bytes) -> int:
        """The number that ``LaneMeter.exchange_done`` takes; colours that no config named share one."""
        return self._color_numbers.get(color, OTHER_COLOR)

    def take(self, at: float) -> Delta:
        """What control has not confirmed, if there is such a delta, else what has changed since. ``at`` is the Unix time."""
        if self._under_way is not None:
            self.worker.deltas_resent += 1
            return self._under_way
        found = self._collect()
        self._number += 1
        self._under_way = Delta(
            run=self._run,
            number=self._number,
            at=at,
            whole=self._next_is_whole,
            added=found.added,
            observed=found.observed,
            gauges=found.gauges,
            evidence=found.evidence,
            turns=list(self.turns),
        )
        self.turns.clear()
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
        for meter in self._endpoints.current.values():
            meter.report_again()

    def _collect(self) -> Collected:
        into = Collected()
        self.worker.collect(into)
        self.gen_ai.collect(into)
        self.unrouted_http.collect(into)
        for lane in (self.unrouted, *self._lanes.all()):
            lane.collect(into, self._colors)
        for endpoint in self._endpoints.retired.values():
            endpoint.standing = None
        for endpoint in self._endpoints.all():
            endpoint.collect(into)
        for http_route in self._http_routes.all():
            http_route.collect(into)
        for server in self._servers.all():
            server.collect(into)
        # Only now that they are empty may the oldest go.
        self._lanes.keep_newest()
        self._endpoints.keep_newest()
        self._http_routes.keep_newest()
        self._servers.keep_newest()
        return into


class _Named(Generic[_K, _M]):
    """Meters by name: those of the table last loaded, and those that it no longer has, in the order of their retirement."""

    def __init__(self, make: Callable[[_K], _M]) -> None:
        self._make = make
        self.current: dict[_K, _M] = {}
        self.retired: dict[_K, _M] = {}

    def load(self, names: Iterable[_K]) -> None:
        left = {**self.retired, **self.current}
        self.current = {name: left.pop(name) if name in left else self._make(name) for name in dict.fromkeys(names)}
        self.retired = left

    def all(self) -> Iterable[_M]:
        return (*self.current.values(), *self.retired.values())

    def keep_newest(self) -> None:
        while len(self.retired) > METERS_RETIRED_MAX:
            del self.retired[next(iter(self.retired))]

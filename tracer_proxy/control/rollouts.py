"""The rollouts of the config, as they run: control turns their clock, hands them evidence, and applies their weights."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tracer_proxy.config.rollouts import Rollout, plan_of
from tracer_proxy.config.schema import Config
from tracer_proxy.control import rollout_view
from tracer_proxy.control.events import Events
from tracer_proxy.control.rollout_file import Kept, RolloutFile, Unreadable, decode, encode
from tracer_proxy.control.webhooks import Webhooks
from tracer_proxy.control.weights import Weights
from tracer_proxy.limits import ROLLOUT_PASSED_S_MAX, ROLLOUT_TEXT_CHARS_MAX, ROLLOUT_WRITE_S
from tracer_proxy.rollout import course as courses
from tracer_proxy.rollout.course import BY_CONFIG, Change, Course, Said, Status
from tracer_proxy.rollout.judge import judge
from tracer_proxy.rollout.plan import Plan, Rules
from tracer_proxy.rollout.traffic import Traffic, fits, hold_for, traffic
from tracer_proxy.rollout.verdict import Verdict
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.evidence import Evidence
from tracer_proxy.telemetry.totals import Totals

ACTIONS: Mapping[str, Callable[[Course, Plan, Said], Change]] = {
    "start": courses.start,
    "pause": courses.pause,
    "resume": courses.resume,
    "promote": courses.promote,
    "abort": courses.abort,
}
_GONE_WRONG = (courses.Kind.ROLLED_BACK, courses.Kind.SWITCHED)


@dataclass(frozen=True)
class Run:
    """One rollout of the config in force."""

    config: Rollout
    plan: Plan
    lanes: Weights
    """The file's, of the route."""
    fingerprint: str
    course: Course

    @property
    def traffic(self) -> Traffic | None:
        return traffic(self.course, self.plan, self.lanes)


class Rollouts:
    """``monotonic`` and ``utc`` are clocks."""

    def __init__(
        self, events: Events, totals: Totals, *, monotonic: Callable[[], float], utc: Callable[[], datetime] | None = None
    ) -> None:
        self._events = events
        self._totals = totals
        self._monotonic = monotonic
        self._utc = utc or (lambda: datetime.now(UTC))
        self._runs: dict[str, Run] = {}
        self._changes: list[tuple[Run, Change]] = []
        """Those that nobody has been told of yet."""
        self._ticked = monotonic()
        self._file: RolloutFile | None = None
        self._writing = asyncio.Lock()
        self._written = 0.0
        self._has_left = False
        """Whether the file tells of rollouts: where they are gone from the config, they are to be gone there, too."""
        self._cannot_write = False
        self.webhooks = Webhooks(events, lambda outcome: totals.count(catalogue.WEBHOOKS, outcome))

    # What the config says.

    def begin(self, config: Config, left: str) -> None:
        """``left`` is what a control before this one has left; where there is none, the state folder is asked."""
        self._file = RolloutFile(Path(config.state.folder)) if config.state else None
        if left:
            kept = self._read_left(left)
        else:
            kept = self._read_file() if self._file else {}
            self._has_left = bool(kept)
            self._warn(config)
        self._take(config, kept)

    def configure(self, config: Config) -> None:
        """A plan that has changed begins anew, one that has not goes on, one that is gone leaves the weights to the file."""
        was_kept = self._file is not None
        self._file = RolloutFile(Path(config.state.folder)) if config.state else None
        if was_kept or not self._runs:
            self._warn(config)
        self._take(config, self._kept())

    def tried(self, config: Config) -> tuple[dict[str, Traffic], dict[str, str]]:
        """What ``configure`` would put into force by route, and what would become of each rollout; nothing changes."""
        runs, changes = self._made(config, self._kept())
        begun = {run.plan.name for run, _ in changes}
        fates = {name: "ends" for name in self._runs if name not in runs}
        for name, run in runs.items():
            goes_on = name in self._runs and self._runs[name].fingerprint == run.fingerprint
            fates[name] = "goes_on" if goes_on else "begins" if name in begun else "waits"
        return _traffic(runs.values()), fates

    def _take(self, config: Config, kept: Mapping[str, Kept]) -> None:
        self._runs, changes = self._made(config, kept)
        self._changes += changes
        for name, run in self._runs.items():
            goes_on = name in kept and kept[name].fingerprint == run.fingerprint
            if goes_on and kept[name].course.by_hand is not None and run.course.by_hand is None:
                message = (
                    f"The weights that were set by hand for the rollout {name!r} are not those of the lanes that the route "
                    f"{run.plan.route!r} has now, so they no longer hold; set them again, or resume or start the rollout."
                )
                self._events.write("weights_lost", "warning", message, rollout=name, route=run.plan.route)

    def _made(self, config: Config, kept: Mapping[str, Kept]) -> tuple[dict[str, Run], list[tuple[Run, Change]]]:
        """The rollouts of a config, and what is to be told of their beginning."""
        routes = {route.name: route for route in config.routes}
        runs: dict[str, Run] = {}
        changes: list[tuple[Run, Change]] = []
        for name, rollout in config.rollouts.items():
            lanes = routes[rollout.route].lanes
            plan = plan_of(name, rollout, lanes)
            fingerprint = _fingerprint(rollout, plan, config)
            weights = {lane.name: lane.weight for lane in lanes}
            known = _known(kept.get(name), fingerprint, plan, weights)
            run = Run(rollout, plan, weights, fingerprint, known or Course(since=self._now()))
            runs[name] = run
            if known is None and rollout.start == "auto":
                why = "its plan, or a backend of its lanes, has changed" if name in self._runs else ""
                changes.append((run, courses.start(run.course, plan, Said(BY_CONFIG, self._now(), why))))
        return runs, changes

    def _warn(self, config: Config) -> None:
        if config.rollouts and self._file is None:
            message = "There is no state.folder in the config, so a restart of the proxy begins its rollouts anew."
            self._events.write("rollouts_not_kept", "warning", message, rollouts=list(config.rollouts))

    # What is seen, and what follows from it.

    def observed(self, route: str, lane: str, evidence: Evidence) -> None:
        for run in self._runs.values():
            if run.plan.route == route:
                courses.observe(run.course, run.plan, lane, evidence)

    def tick(self) -> None:
        """To be called about each second."""
        now = self._monotonic()
        passed_s = min(now - self._ticked, ROLLOUT_PASSED_S_MAX)
        self._ticked = now
        for run in self._runs.values():
            changes = courses.advance(run.course, run.plan, passed_s, self._now(), self._counting_judge(run.plan.name))
            self._changes += [(run, change) for change in changes]

    def _counting_judge(self, name: str) -> courses.Judge:
        def counted(
            rules: Rules, lane: Evidence, baseline: Evidence, *, look: int, recent: Evidence | None, alone: bool
        ) -> Verdict:
            verdict = judge(rules, lane, baseline, look=look, recent=recent, alone=alone)
            self._totals.count(catalogue.ROLLOUT_VERDICTS, name, verdict.outcome)
            return verdict

        return counted

    def traffic(self) -> dict[str, Traffic]:
        """What is to be in force, by route."""
        return _traffic(self._runs.values())

    # What people want.

    def __contains__(self, name: str) -> bool:
        return name in self._runs

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def act(self, name: str, action: str, by: str, reason: str) -> None:
        """``action`` is one of ``ACTIONS``. Raises ``Unfit``."""
        run = self._runs[name]
        said = Said(by[:ROLLOUT_TEXT_CHARS_MAX], self._now(), reason[:ROLLOUT_TEXT_CHARS_MAX])
        self._changes.append((run, ACTIONS[action](run.course, run.plan, said)))

    def set_by_hand(self, route: str, weights: Weights) -> bool:
        """False if no rollout has a say about the route: then they are nobody's but the config's."""
        run = next((run for run in self._runs.values() if run.plan.route == route), None)
        if run is None or run.traffic is None:
            return False
        said, by_hand = Said("api", self._now(), "weights were set by hand"), dict(weights)
        if run.course.status is Status.RUNNING:
            change = courses.pause(run.course, run.plan, said, by_hand)
        else:
            change = courses.set_weights(run.course, said, by_hand)
        self._changes.append((run, change))
        return True

    def shown(self, name: str) -> dict[str, Any]:
        run = self._runs[name]
        found = run.traffic
        return rollout_view.shown(run.config, run.plan, run.course, found.weights if found else run.lanes, self._utc())

    # Who is told, and what is left behind.

    @property
    def has_news(self) -> bool:
        return bool(self._changes)

    def tell(self) -> None:
        """Log, metrics and webhooks of what has changed; it is in force by now."""
        changes, self._changes = self._changes, []
        for run, change in changes:
            told = rollout_view.told(run.plan, change, run.traffic or Traffic(run.lanes))
            level = "warning" if change.kind in _GONE_WRONG else "info"
            fields = {key: value for key, value in told.items() if key not in ("change", "message")}
            self._events.write(f"rollout_{change.kind}", level, told["message"], **fields)
            self._totals.count(catalogue.ROLLOUT_CHANGES, run.plan.name, change.kind)
            if run.config.notify is not None:
                self.webhooks.tell(run.plan.name, run.config.notify, told)

    def set_gauges(self) -> None:
        totals = self._totals
        for gauge in (catalogue.ROLLOUT_STATE, catalogue.ROLLOUT_STEP, catalogue.ROLLOUT_WEIGHT):
            totals.clear(gauge)
        for name, run in self._runs.items():
            for status in Status:
                totals.set(catalogue.ROLLOUT_STATE, run.course.status is status, name, status)
            totals.set(catalogue.ROLLOUT_STEP, run.course.step + 1, name)
            found = run.traffic
            weights = found.weights if found else run.lanes
            whole = sum(weights.values())
            for lane, weight in weights.items():
                totals.set(catalogue.ROLLOUT_WEIGHT, weight / whole, name, run.plan.route, lane)

    def left(self) -> str:
        """For ``begin`` of a control that comes after this one."""
        return encode(self._kept()).decode() if self._runs else ""

    def _kept(self) -> dict[str, Kept]:
        return {name: Kept(run.fingerprint, run.course) for name, run in self._runs.items()}

    async def write(self, *, now: bool) -> None:
        """To the state folder: now, or when it has been a while."""
        is_due = now or self._monotonic() - self._written >= ROLLOUT_WRITE_S
        if self._file is None or not is_due or not (self._runs or self._has_left):
            return
        async with self._writing:
            self._written = self._monotonic()
            try:
                await asyncio.to_thread(self._file.write, encode(self._kept()))
                self._cannot_write, self._has_left = False, bool(self._runs)
            except OSError as error:
                if not self._cannot_write:
                    message = (
                        f"Rollouts cannot be kept in {self._file.folder}: {error.strerror}. They go on; it is tried again."
                    )
                    self._events.write("rollouts_not_kept", "warning", message)
                self._cannot_write = True

    def _read_left(self, left: str) -> Mapping[str, Kept]:
        try:
            return decode(left.encode())
        except Unreadable:
            # Of another version. It is what control itself has written, so there is nobody to tell.
            return {}

    def _read_file(self) -> Mapping[str, Kept]:
        assert self._file is not None
        try:
            return self._file.read()
        except Unreadable as error:
            try:
                aside = f"It is now {self._file.put_aside()}"
            except OSError as trouble:
                aside = f"It could not be put aside ({trouble.strerror})"
            message = f"{self._file.path} cannot be used: {error}. {aside}, and rollouts begin anew."
            self._events.write("rollouts_lost", "error", message)
        except OSError as error:
            message = f"{self._file.path} cannot be read: {error.strerror}. Rollouts begin anew."
            self._events.write("rollouts_lost", "error", message)
        return {}

    def _now(self) -> str:
        return self._utc().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traffic(runs: Iterable[Run]) -> dict[str, Traffic]:
    return {run.plan.route: found for run in runs if (found := run.traffic) is not None}


def _known(kept: Kept | None, fingerprint: str, plan: Plan, lanes: Weights) -> Course | None:
    """The course that goes on. Lanes are no part of the plan, so weights set by hand may be of others than there are now."""
    if kept is None or kept.fingerprint != fingerprint:
        return None
    course = kept.course
    if course.by_hand is not None and not hold_for(course.by_hand, lanes):
        course = replace(course, by_hand=None)
    return course if fits(course, plan, lanes) else None


def _fingerprint(rollout: Rollout, plan: Plan, config: Config) -> str:
    """Whom to tell is no part of the plan. The backends are what is judged: other ones are another release."""
    asked = (rollout.model_dump(exclude={"notify"}), plan.baseline, list(_backends(plan, config)))
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]


def _backends(plan: Plan, config: Config) -> Iterator[tuple[str, ...]]:
    """Of the lane and the baseline: their pools and those that stand in, by name, with their endpoints."""
    for route in config.routes:
        for lane in route.lanes if route.name == plan.route else ():
            if lane.name not in (plan.lane, plan.baseline):
                continue
            own = config.pools.get(lane.pool)
            for name in (lane.pool, *(own.failover if own else ())):
                pool = config.pools.get(name)
                yield lane.name, name, *(map(str, pool.endpoints) if pool else ())

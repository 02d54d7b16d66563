"""Control as a process: it reads the config, keeps workers supplied with tables, writes the log and serves the admin port.

begin       read the config, have the sockets opened, or take over what a predecessor left
reload      the file has changed: check it, compile it, hand it to every worker, or keep what is in force
end         when the supervisor says so, after the workers
"""

import asyncio
import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import uvloop

from tracer_proxy import __version__
from tracer_proxy.config.certificates import warnings
from tracer_proxy.config.load import Loaded, read_text, text_of
from tracer_proxy.config.tls import watched_files
from tracer_proxy.control import messages
from tracer_proxy.control.admin import Admin
from tracer_proxy.control.config_in_force import InForce, fingerprints
from tracer_proxy.control.events import Events
from tracer_proxy.control.live import Filter
from tracer_proxy.control.readiness import Readiness
from tracer_proxy.control.recorded import Recorded
from tracer_proxy.control.rollouts import Rollouts
from tracer_proxy.control.state import LastReload, State
from tracer_proxy.control.supervisor import Birth
from tracer_proxy.control.trial import Trial, text_to_try, tried
from tracer_proxy.control.watch import changes, fingerprint
from tracer_proxy.control.weights import Weights
from tracer_proxy.control.workers import Workers
from tracer_proxy.dataplane.tasks import begin, spawn
from tracer_proxy.errors import ConfigError
from tracer_proxy.limits import ASK_S, CONTROL_ALIVE_S, EXPORT_CLOSE_S, KEEP_PAUSE_RATIO, LIVE_RECORDS_MAX, ROLLOUT_TICK_S
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.deltas import Delta
from tracer_proxy.telemetry.gathered import Gathered
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.totals import Dump, Totals


def run(birth: Birth) -> int:
    """Runs until SIGTERM; 1 if the config is wrong or an address cannot be listened on."""
    try:
        return uvloop.run(Control(birth).run())
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return 1


@dataclass(frozen=True)
class Outcome:
    """Of a reload. ``changed`` is false when the file holds what is in force already."""

    changed: bool
    version: str
    problems: tuple[str, ...] = ()


class Control:
    def __init__(self, birth: Birth) -> None:
        self._birth = birth
        self.events = Events()
        self.state = State.from_bytes(birth.state) if birth.state else State(started=time.monotonic())
        self.totals = _totals(self.state)
        self.workers = Workers(birth.token, self.events, self)
        self.records = Recorded(self.events, self.workers)
        self.rollouts = Rollouts(self.events, self.totals, monotonic=time.monotonic)
        self._gathered = Gathered()
        self.draining = False
        self.processes: list[dict[str, Any]] = []
        self.addresses: dict[str, list[str]] = birth.opened.addresses if birth.opened else {}
        self._draining_told: asyncio.Task[None] | None = None
        self._reloading = asyncio.Lock()
        self._unconfirmed: list[Callable[[], None]] = []
        """Deltas of workers that are added up and not kept yet."""
        self._kept_at = self._keep_s = 0.0
        """When, and how long that took."""
        self._files_of_refused: set[Path] = set()
        """Named by the config that was refused last."""
        self._stop = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.set_exception_handler(lambda _, context: self.events.write_bug(context))
        text = self.state.text or text_of(self._birth.path)
        # What is in force has been checked; a file that is missing by now must not keep control from coming back.
        loaded = self._read(text, files=not self._birth.state)
        files = tuple(self.state.files) if self._birth.state else fingerprints(loaded.config)
        self.rollouts.begin(loaded.config, self.state.rollouts)
        self.in_force = InForce(text, loaded, "", files, self.state.overrides, self.rollouts.traffic())
        admin = self._birth.opened.sockets.get("admin", []) if self._birth.opened else await self._open_sockets()
        if admin is None:
            return 1
        self.in_force = replace(self.in_force, mock_llm=next(iter(self.addresses["mock_llm"]), ""))
        await self._begin(admin)
        await self._stop.wait()
        if self._draining_told is not None:
            await self._draining_told
        await self.rollouts.write(now=True)
        await asyncio.gather(self.records.close(EXPORT_CLOSE_S), self.rollouts.webhooks.close())
        self.events.write("stopped", exchanges=self.totals.sum(catalogue.EXCHANGES))
        return 0

    def _read(self, text: str, *, files: bool = True) -> Loaded:
        return read_text(text, str(self._birth.path), os.environ, self._birth.profile, files=files)

    # The beginning.

    async def _open_sockets(self) -> list[socket.socket] | None:
        config = self.in_force.config
        asked = {
            "proxy": list(config.proxy.listen),
            "admin": [config.admin.listen] if config.admin else [],
            "mock_llm": [config.mocks.llm.listen] if config.mocks.llm else [],
        }
        messages.send(self._birth.link, {"do": "open", **asked})
        while True:
            received = messages.receive(self._birth.link)
            if received is None:
                return None
            message, files = received
            if "refused" in message or "opened" in message:
                break
            self._heed(message)
        if "refused" in message:
            told = f"Cannot listen on {message['refused']}. Change the address or stop what uses it."
            self.events.write("failed", "error", told)
            return None
        self.addresses = message["opened"]
        return [socket.socket(fileno=file) for file in files]

    async def _begin(self, admin: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        self._birth.link.setblocking(False)
        loop.add_reader(self._birth.link, self._on_message)
        await self.workers.listen(self._birth.workers)
        self._warn()
        self.records.configure(self.in_force.config)
        self._send(self.in_force)
        self._tell_supervisor()
        self._keep()
        if self._birth.state:
            # They call at once, and what they have counted meanwhile belongs to the first answer.
            await self.workers.loaded(self.in_force.config.proxy.workers, ASK_S)
        self._admin = Admin(self)
        await self._admin.start(admin)
        spawn(self._watch(), "watch the config")
        spawn(self._roll(), "turn the rollouts")
        self._say_alive()
        if await self.workers.loaded(self.in_force.config.proxy.workers):
            self._say_ready()
        else:
            self.events.write("starting", "warning", "Not all workers are there yet; see /readyz.")

    def _say_ready(self) -> None:
        admin, mock_llm = (next(iter(self.addresses[name]), None) for name in ("admin", "mock_llm"))
        event = "control_restarted" if self._birth.state else "ready"
        self.events.write(
            event,
            version=__version__,
            config=self.in_force.version,
            proxy=self.addresses["proxy"],
            admin=admin,
            mock_llm=mock_llm,
        )

    # Reload.

    async def _watch(self) -> None:
        # Taken before the file is read, so that a change in between is not missed.
        seen = fingerprint(self._files())
        text = await asyncio.to_thread(_text_or_empty, self._birth.path)
        if text != self.in_force.text or fingerprints(self.in_force.loaded.config) != self.in_force.files:
            await self.reload()
        async for _ in changes(self._files, seen):
            try:
                await self.reload()
            except Exception as bug:
                # A bug must not end the watching.
                self.events.write_bug({"message": "the reload failed", "exception": bug})

    def _files(self) -> set[Path]:
        """Whose changes mean a reload."""
        return {self._birth.path, *watched_files(self.in_force.config), *self._files_of_refused}

    async def reload(self) -> Outcome:
        """Puts the file into force, or leaves all as it is and says what is wrong with it."""
        async with self._reloading:
            text = ""
            try:
                text = text_of(self._birth.path)
                new = self.in_force.succeeded_by(text, self._read(text))
                rollouts, _ = self.rollouts.tried(new.loaded.config)
                new = replace(new, rollouts=rollouts)
            except ConfigError as error:
                self._files_of_refused = self._named_by(text)
                return self._refused(tuple(map(str, error.problems)))
            self._files_of_refused = set()
            changed = new.version != self.in_force.version
            if changed:
                await self._put_into_force(new)
                self.totals.count(catalogue.RELOADS, "ok")
            # Not before: what could not be put into force leaves the rollouts as they were.
            self.rollouts.configure(new.loaded.config)
            self.in_force = new
            before = self.state.reload
            if changed or before.error:
                # The file is as it should be again, too, when it holds what is in force.
                self.state.reload = LastReload(_now(), "", before.succeeded + changed, before.failed)
                self._keep()
            if changed:
                # Said when a successor would know it, too.
                self.events.write("reloaded", config=new.version)
                self.rollouts.tell()
        await self.rollouts.write(now=changed)
        return Outcome(changed=changed, version=new.version)

    async def try_reload(self, file: str = "") -> Trial:
        """What a reload would do; nothing changes, and nobody is told. ``file`` stands beside the config's, in place of it."""
        path = self._birth.path.with_name(file) if file else self._birth.path
        async with self._reloading:
            in_force, loaded = self.in_force, None
            try:
                text = await asyncio.to_thread(text_to_try, path, self._birth.path)
                loaded = read_text(text, str(path), os.environ, self._birth.profile)
                new = in_force.succeeded_by(text, loaded)
            except ConfigError as error:
                return Trial(in_force.version, tuple(map(str, error.problems)), needs_restart=loaded is not None)
            rollouts, fates = self.rollouts.tried(new.loaded.config)
        new = replace(new, rollouts=rollouts)
        records, profile = self.records.live.recent(Filter(), LIVE_RECORDS_MAX), in_force.config.tracing.profile
        return await asyncio.to_thread(tried, in_force, new, records, profile, fates)

    def _named_by(self, text: str) -> set[Path]:
        """Files whose change may make a refused config right."""
        try:
            return watched_files(self._read(text, files=False).config)
        except ConfigError:
            return set()

    def _refused(self, problems: tuple[str, ...]) -> Outcome:
        before = self.state.reload
        self.state.reload = LastReload(_now(), "\n".join(problems), before.succeeded, before.failed + 1)
        self.totals.count(catalogue.RELOADS, "failed")
        self._keep()
        message = "The config file is not as it should be; the one in force stays."
        self.events.write("reload_failed", "error", message, problems=problems, config=self.in_force.version)
        return Outcome(changed=False, version=self.in_force.version, problems=problems)

    async def set_weights(self, route: str, weights: Weights) -> None:
        async with self._reloading:
            if self.rollouts.set_by_hand(route, weights):
                await self._put_into_force(replace(self.in_force, rollouts=self.rollouts.traffic()))
            else:
                await self._put_into_force(self.in_force.with_override(route, weights))
            self._keep()
            self.events.write("weights_set", route=route, weights=weights, config=self.in_force.version)
            self.rollouts.tell()
        await self.rollouts.write(now=True)

    # Rollouts.

    async def _roll(self) -> None:
        while True:
            try:
                self.rollouts.tick()
                await self.apply_rollouts()
            except Exception as bug:
                # A bug in judging one must not end the turning of all.
                self.events.write_bug({"message": "the rollouts were not turned", "exception": bug})
            await asyncio.sleep(ROLLOUT_TICK_S)

    async def apply_rollouts(self) -> None:
        """Puts into force what has changed about them, and tells of it."""
        has_news = self.rollouts.has_news
        if has_news:
            async with self._reloading:
                wanted = self.rollouts.traffic()
                if wanted != self.in_force.rollouts:
                    await self._put_into_force(replace(self.in_force, rollouts=wanted))
                self._keep()
                self.rollouts.tell()
        await self.rollouts.write(now=has_news)

    async def _put_into_force(self, new: InForce) -> None:
        # Sent first: if it could not be made into a table, what is in force would still be.
        self._send(new)
        self.in_force = new
        self._warn()
        self.records.configure(new.config)
        self._tell_supervisor()
        if not await self.workers.loaded(0):
            self.events.write("reload_slow", "warning", "A worker has not taken the new config yet; it will when it can.")

    def _send(self, in_force: InForce) -> None:
        load = in_force.load()
        if not self.state.in_force_since or load.version != self.workers.version:
            self.state.in_force_since = time.time()  # noqa: TID251 — a time of day, for people
        lanes = [(route.name, lane.name) for route in load.table.routes for lane in route.split.lanes]
        endpoints = [(name, str(endpoint)) for name, pool in load.table.pools.items() for endpoint in pool.endpoints]
        servers = [endpoint.server for pool in load.table.pools.values() for endpoint in pool.endpoints]
        self.totals.config_has(lanes, endpoints, [route.http_route for route in load.table.routes], servers)
        self.workers.send(load)

    def _warn(self) -> None:
        loaded = self.in_force.loaded
        for warning in warnings(loaded.config, datetime.now(UTC)):
            self.events.write("config_warning", "warning", str(loaded.document.problem(warning.location, warning.message)))

    # The supervisor.

    def _tell_supervisor(self) -> None:
        config = self.in_force.config
        mocks = {"token_interval_s": config.mocks.llm.token_interval} if config.mocks.llm else None
        run = {"do": "run", "workers": config.proxy.workers, "mocks": mocks, "drain_s": config.proxy.drain}
        messages.send(self._birth.link, run)

    def _keep(self) -> None:
        """Leaves with the supervisor what a successor must know."""
        begun = time.monotonic()
        self.state.text, self.state.files = self.in_force.text, list(self.in_force.files)
        self.state.totals = self.totals.dump()
        self.state.rollouts = self.rollouts.left()
        self.state.overrides = {route: dict(weights) for route, weights in self.in_force.overrides.items()}
        try:
            file = self.state.to_file()
        except OSError as error:
            message = f"What a restarted control must know could not be written: {error.strerror}. It is, with the next change."
            self.events.write("state_not_kept", "warning", message)
            return
        messages.send(self._birth.link, {"do": "keep"}, [file])
        os.close(file)
        self._kept_at = time.monotonic()
        self._keep_s = self._kept_at - begun
        for confirm in self._unconfirmed:
            confirm()
        self._unconfirmed.clear()

    def _say_alive(self) -> None:
        """A control that hangs is replaced."""
        messages.send(self._birth.link, {"do": "alive"})
        asyncio.get_running_loop().call_later(CONTROL_ALIVE_S, self._say_alive)

    def drain(self) -> None:
        messages.send(self._birth.link, {"do": "drain"})

    def _on_message(self) -> None:
        while True:
            try:
                received = messages.receive(self._birth.link)
            except BlockingIOError:
                return
            if received is None:
                # Without its supervisor it has nothing to do.
                self._stop.set()
                asyncio.get_running_loop().remove_reader(self._birth.link)
                return
            self._heed(received[0])

    def _heed(self, message: dict[str, Any]) -> None:
        if "processes" in message:
            self._count_restarts(message["processes"])
            self.processes = message["processes"]
        if "reload" in message:
            spawn(self._reload_on_signal(), "reload")
        if "draining" in message and not self.draining:
            self.draining = True
            self.records.live.end()
            self._draining_told = begin(self._say_draining(), "drain")

    def _count_restarts(self, processes: list[dict[str, Any]]) -> None:
        for role in ("worker", "control"):
            restarts = sum(each.get("restarts", 0) for each in processes if each["name"].startswith(role))
            for _ in range(restarts - self.state.restarts.get(role, 0)):
                self.totals.count(catalogue.RESTARTS, role)
            self.state.restarts[role] = restarts

    async def _reload_on_signal(self) -> None:
        self.records.reopen()
        outcome = await self.reload()
        if not outcome.changed and not outcome.problems:
            self.events.write("reloaded", message="The config file holds what is in force already.", config=outcome.version)

    async def _say_draining(self) -> None:
        reports = await self.workers.reports()
        under_way = sum(report.get("under_way", 0) for report in reports)
        self.events.write("draining", under_way=under_way, at_most_s=self.in_force.config.proxy.drain)

    # What workers count.

    def counted(self, number: int, delta: Delta, confirm: Callable[[], None]) -> None:
        """Kept at once, but where that takes long, as with thousands of routes, not more often than control can bear."""
        if self.totals.add(str(number), delta):
            self._observe(delta)
        self._unconfirmed.append(confirm)
        if len(self._unconfirmed) == 1:
            wait_s = self._kept_at + KEEP_PAUSE_RATIO * self._keep_s - time.monotonic()
            if wait_s > 0:
                asyncio.get_running_loop().call_later(wait_s, self.confirm)
            else:
                self._keep()

    def _observe(self, delta: Delta) -> None:
        """What judged lanes have to show, once for each delta as the totals are."""
        for route, lane, evidence in self._gathered.add(delta, time.monotonic()):
            self.rollouts.observed(route, lane, evidence)

    def confirm(self) -> None:
        if self._unconfirmed:
            self._keep()

    def recorded(self, number: int, records: Sequence[Record], size_bytes: int) -> None:
        self.records.take(number, records, size_bytes)

    def lost(self, number: int) -> None:
        self.totals.forget(str(number))

    def readiness(self) -> Readiness:
        loops = {each["name"]: each["crash_loop"] for each in self.processes if "crash_loop" in each}
        return Readiness(self.draining, self.in_force.config.proxy.workers, self.workers.current_count, loops)

    def set_gauges(self) -> None:
        """What is shown in metrics and not counted."""
        totals, reload = self.totals, self.state.reload
        self.records.count(totals)
        self.rollouts.set_gauges()
        totals.set(catalogue.READY, self.readiness().is_ready)
        totals.set(catalogue.BUILD, 1, __version__, platform.python_version())
        totals.set(catalogue.CONFIG, 1, self.in_force.version)
        totals.set(catalogue.RELOAD_OK, not reload.error)
        totals.set(catalogue.RELOAD_TIME, self.state.in_force_since)


def _totals(state: State) -> Totals:
    """As they were left; what another version left otherwise is no reason not to start."""
    try:
        return Totals.load(cast(Dump, state.totals))
    except ValueError:
        return Totals()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text_or_empty(path: Path) -> str:
    try:
        return text_of(path)
    except ConfigError:
        return ""

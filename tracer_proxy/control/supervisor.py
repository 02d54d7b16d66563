"""The parent of all: it holds the listening sockets, starts the other processes, and starts again what dies.

It is small, knows no config and moves no bytes, so that there is little in it that could fail. Control asks it for sockets,
for workers and for mocks, and leaves with it what the next control needs to know.
"""

import gc
import os
import secrets
import selectors
import signal
import socket
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tracer_proxy.control import messages
from tracer_proxy.control.child import Child
from tracer_proxy.control.events import Events
from tracer_proxy.control.fork import fork
from tracer_proxy.control.sockets import CannotListen, address_of, bind, close, remove_file
from tracer_proxy.dataplane import process as worker_process
from tracer_proxy.dataplane import shared_memory
from tracer_proxy.limits import CONTROL_ALIVE_S, CONTROL_SILENCE_S, KILL_S

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass
class Opened:
    """The sockets that are listened on, and their addresses with the ports that were chosen for port 0."""

    addresses: dict[str, list[str]] = field(default_factory=dict)
    """By what they are for: ``proxy``, ``admin``, ``mock_llm``."""
    sockets: dict[str, list[socket.socket]] = field(default_factory=dict)

    def open(self, asked: dict[str, list[str]]) -> None:
        """Opens all of them or none. Raises ``CannotListen``."""
        try:
            for purpose, wanted in asked.items():
                self.addresses[purpose], self.sockets[purpose] = [], []
                for address in wanted:
                    bound = bind(address)
                    self.sockets[purpose] += bound
                    self.addresses[purpose].append(address_of(bound[0], address))
        except CannotListen:
            self.remove_files()
            self.close(*self.sockets)
            raise

    def close(self, *purposes: str) -> None:
        """In this process only; see ``remove_files``."""
        for purpose in purposes:
            close(self.sockets.pop(purpose, []))

    def remove_files(self) -> None:
        for listeners in self.sockets.values():
            for listener in listeners:
                remove_file(listener)


@dataclass(frozen=True)
class Birth:
    """What control is born with."""

    path: Path
    profile: str | None
    link: socket.socket
    """To the supervisor."""
    workers: socket.socket
    """Where workers call; they prove who they are by the token."""
    token: str
    opened: Opened | None
    """``None`` for the first control, which asks for them."""
    state: bytes
    """What the last control left; empty for the first one."""


class Supervisor:
    def __init__(self, path: Path, profile: str | None) -> None:
        self._path, self._profile = path, profile
        self._events = Events()
        self._control = Child("control")
        self._mocks: Child | None = None
        self._mock_settings: dict[str, Any] = {}
        self._workers: dict[int, Child] = {}
        self._retired: set[int] = set()
        """Pids of workers that were one too many and end when their exchanges have."""
        self._opened: Opened | None = None
        self._state = -1
        """A file in memory with what control knows, left here for its successor."""
        self._token = secrets.token_hex(32)
        self._shared = shared_memory.create()
        self._workers_call = socket.socket(socket.AF_UNIX)
        # No name given: the system chooses one that is not in the file system.
        self._workers_call.bind(b"")
        self._workers_call.listen()
        self._workers_call.setblocking(False)
        self._link: socket.socket | None = None
        self._stopping = False
        self._exit_code: int | None = None
        self._kill_at: dict[int, float] = {}
        self._alive_at = self._looked_at = time.monotonic()
        """When control was last heard, and when somebody looked."""
        self._drain_s = 0.0

    def run(self) -> int:
        """Until SIGTERM or SIGINT and the drain that follows. Returns the exit code."""
        self._selector = selectors.DefaultSelector()
        self._wakeup, told = socket.socketpair()
        for end in (self._wakeup, told):
            end.setblocking(False)
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._on_signals)
        gc.collect()
        gc.freeze()
        self._start(self._control)
        while self._exit_code is None:
            for key, _ in self._selector.select(self._next_look_s()):
                key.data()
            self._look()
        if self._opened is not None:
            self._opened.remove_files()
        return self._exit_code

    # What is due.

    def _children(self) -> list[Child]:
        return [self._control, *([self._mocks] if self._mocks else []), *self._workers.values()]

    def _next_look_s(self) -> float | None:
        due = [child.restart_at for child in self._children() if not child.pid] + list(self._kill_at.values())
        wait_s = max(0.0, min(due) - time.monotonic()) if due else None
        # Once control has begun, its silence is looked at now and then.
        return wait_s if self._opened is None else min(wait_s if wait_s is not None else CONTROL_ALIVE_S, CONTROL_ALIVE_S)

    def _look(self) -> None:
        now = time.monotonic()
        for child in self._children():
            if not child.pid and child.restart_at <= now and not self._stopping:
                self._start(child)
        for pid in [pid for pid, at in self._kill_at.items() if at <= now]:
            del self._kill_at[pid]
            _signal(pid, signal.SIGKILL)
        if self._stopping:
            self._end()
        else:
            self._look_at_control(now)

    def _look_at_control(self, now: float) -> None:
        if now - self._looked_at > 2 * CONTROL_ALIVE_S or self._opened is None:
            # The supervisor itself stood still: what control said meanwhile has not been read yet.
            self._alive_at = now
        self._looked_at = now
        if self._control.pid and now - self._alive_at > CONTROL_SILENCE_S:
            message = f"Control has not been heard for {CONTROL_SILENCE_S:g} s; it is killed and replaced."
            self._events.write("control_hangs", "error", message, pid=self._control.pid)
            self._alive_at = now
            _signal(self._control.pid, signal.SIGKILL)

    def _start(self, child: Child) -> None:
        try:
            self._fork(child)
        except OSError as error:
            # No descriptors, processes or memory left: it must not die of it, for all others would die with it.
            delay = child.could_not_start(time.monotonic())
            message = f"The process {child.name} could not be started ({error.strerror}); it is tried again in {delay:g} s."
            self._events.write("process_not_started", "error", message, process=child.name)
        self._tell_processes()

    def _fork(self, child: Child) -> None:
        main = {"control": self._control_main, "mocks": self._mocks_main, "worker": self._worker_main}[child.role]
        if child is self._control:
            self._link_to_control()
        child.begins(fork(f"tp-{child.role}", partial(main, child.number)), time.monotonic())
        if child is self._control:
            self._alive_at = time.monotonic()
            self._control_end.close()

    def _link_to_control(self) -> None:
        link, self._control_end = messages.pair()
        if self._link is not None:
            self._selector.unregister(self._link)
            self._link.close()
        self._link = link
        self._link.setblocking(False)
        self._selector.register(self._link, selectors.EVENT_READ, self._on_message)

    # What the children run; each closes what is not its own.

    def _control_main(self, _: int) -> int:
        from tracer_proxy.control import main

        assert self._link is not None
        self._link.close()
        if self._opened is not None:
            self._opened.close("proxy", "mock_llm")
        state = os.pread(self._state, os.fstat(self._state).st_size, 0) if self._state >= 0 else b""
        birth = Birth(self._path, self._profile, self._control_end, self._workers_call, self._token, self._opened, state)
        return main.run(birth)

    def _mocks_main(self, _: int) -> int:
        from tracer_proxy.mocks import process

        assert self._opened is not None
        self._workers_call.close()
        self._opened.close("proxy", "admin")
        process.run(self._opened.sockets["mock_llm"], self._mock_settings)
        return 0

    def _worker_main(self, number: int) -> int:
        assert self._opened is not None
        address = self._workers_call.getsockname()
        self._workers_call.close()
        self._opened.close("admin", "mock_llm")
        return worker_process.run(number, self._opened.sockets["proxy"], address, self._token, self._shared)

    # What control asks for.

    def _on_message(self) -> None:
        assert self._link is not None
        while True:
            try:
                received = messages.receive(self._link)
            except BlockingIOError:
                return
            if received is None:
                self._selector.unregister(self._link)
                self._link.close()
                self._link = None
                return
            self._alive_at = time.monotonic()
            message, files = received
            self._heed(message.pop("do"), message, files)

    def _heed(self, do: str, message: dict[str, Any], files: list[int]) -> None:
        if do == "open":
            self._open(message)
        elif do == "run":
            self._run(**message)
        elif do == "keep":
            self._keep(files)
        elif do == "drain" and not self._stopping:
            self._stop()

    def _open(self, asked: dict[str, list[str]]) -> None:
        assert self._link is not None
        opened = Opened()
        try:
            opened.open(asked)
        except CannotListen as error:
            messages.send(self._link, {"refused": str(error)})
            return
        self._opened = opened
        admin = opened.sockets.get("admin", [])
        messages.send(self._link, {"opened": opened.addresses}, [listener.fileno() for listener in admin])

    def _run(self, workers: int, mocks: dict[str, Any] | None, drain_s: float) -> None:
        """How many workers there are to be, and what the mocks are to do. Said again with every config."""
        self._drain_s = drain_s
        if mocks is not None and mocks != self._mock_settings:
            self._mock_settings = mocks
            if self._mocks is None:
                self._mocks = Child("mocks")
            elif self._mocks.pid:
                _signal(self._mocks.pid, signal.SIGTERM)
        for number in range(1, workers + 1):
            if number not in self._workers:
                self._workers[number] = Child("worker", number)
        for number in [number for number in self._workers if number > workers]:
            child = self._workers.pop(number)
            if child.pid:
                self._retired.add(child.pid)
                _signal(child.pid, signal.SIGUSR1)
        self._tell_processes()

    def _keep(self, files: list[int]) -> None:
        """The system leaves the file out where no descriptor is left for it; then the state before stays."""
        if files:
            if self._state >= 0:
                os.close(self._state)
            self._state = files[0]

    def _tell_processes(self) -> None:
        if self._link is not None:
            now = time.monotonic()
            processes = [{"name": "supervisor", "pid": os.getpid()}, *(child.shown(now) for child in self._children())]
            messages.send(self._link, {"processes": processes})

    # Signals.

    def _on_signals(self) -> None:
        for number in dict.fromkeys(self._wakeup.recv(4096)):
            if number == signal.SIGCHLD:
                self._reap()
            elif number == signal.SIGHUP:
                self._tell({"reload": True})
            elif not self._stopping:
                self._stop()
            else:
                self._signal_workers()

    def _tell(self, message: dict[str, Any]) -> None:
        if self._link is not None:
            messages.send(self._link, message)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._kill_at.pop(pid, None)
            self._retired.discard(pid)
            for child in self._children():
                if child.pid == pid:
                    self._has_ended(child, os.waitstatus_to_exitcode(status))

    def _has_ended(self, child: Child, code: int) -> None:
        now = time.monotonic()
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        if self._stopping:
            child.pid = 0
            return
        if child is self._control and self._opened is None:
            # It could not even start: it has said why.
            self._exit_code = code if code > 0 else 1
            return
        pid, delay = child.pid, child.has_ended(how, now)
        if child is self._mocks and code == 0:
            child.young_deaths, child.restart_at = 0, now
        else:
            message = f"The process {child.name} ended ({how}); it is started again{f' in {delay:g} s' if delay else ''}."
            self._events.write("process_ended", "error", message, process=child.name, pid=pid, restarts=child.restarts)
        self._tell_processes()

    # The end.

    def _stop(self) -> None:
        """Refuses new connections; workers end their exchanges, and then the others go."""
        self._stopping = True
        self._tell({"draining": True})
        if self._opened is not None:
            for listener in self._opened.sockets.get("proxy", ()):
                remove_file(listener)
            self._opened.close("proxy")
        self._signal_workers()
        if self._opened is None:
            self._exit_code = 0

    def _signal_workers(self) -> None:
        end = time.monotonic() + self._drain_s + KILL_S
        for pid in self._worker_pids():
            _signal(pid, signal.SIGTERM)
            self._kill_at.setdefault(pid, end)

    def _worker_pids(self) -> list[int]:
        return [child.pid for child in self._workers.values() if child.pid] + list(self._retired)

    def _end(self) -> None:
        """When the workers have gone, the others are told; when all have gone, this is over."""
        if self._worker_pids():
            return
        others = [child.pid for child in (self._control, self._mocks) if child and child.pid]
        for pid in others:
            if pid not in self._kill_at:
                _signal(pid, signal.SIGTERM)
                self._kill_at[pid] = time.monotonic() + KILL_S
        if not others:
            self._exit_code = 0


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def run(path: Path, profile: str | None) -> int:
    return Supervisor(path, profile).run()

"""The addresses of endpoints' names: looked up in one place, kept for a while, and kept longer when the resolver fails.

The system's resolver blocks, cannot be told to stop, and may take half a minute to say that nobody answers. So each lookup has
a thread of its own, of which there are few; there is one at a time for a name; and nobody waits for it longer than is sensible.
"""

import asyncio
import ipaddress
import socket
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence

from tracer_proxy.limits import (
    DNS_ADDRESSES_MAX,
    DNS_LOOKUP_S,
    DNS_LOOKUPS_MAX,
    DNS_NAMES_MAX,
    DNS_REFRESH_SHARE,
    DNS_RETRY_S,
    DNS_STALE_WAIT_S,
)

Lookup = Callable[[str], Sequence[str]]
"""From a name to its addresses, the best first. May block; called in a thread. Raises ``OSError``."""


class Unresolved(OSError):
    """The text says why, as the end of a sentence about the endpoint."""


def system_lookup(name: str) -> Sequence[str]:
    """As the system is set up to do it: hosts file, DNS, and what else there is."""
    return [str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]


class _Name:
    __slots__ = ("addresses", "answer", "answered_at", "began_at", "error", "is_failing", "retry_at", "text", "turn")

    def __init__(self, text: str) -> None:
        self.text = text
        self.addresses: tuple[str, ...] = ()
        """The last good answer."""
        self.answered_at = 0.0
        self.answer: asyncio.Future[None] | None = None
        """Of the lookup in flight: done with its answer, its failure or its time limit, whichever comes first."""
        self.began_at = 0.0
        self.error = ""
        self.retry_at = 0.0
        self.is_failing = False
        self.turn = 0


class Resolver:
    """``tell`` hears of a name when its lookups begin to fail, with the reason, and when they succeed again, with ``""``."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        lookup: Lookup = system_lookup,
        tell: Callable[[str, str], None] | None = None,
    ) -> None:
        self._loop = loop
        self._lookup = lookup
        self.tell = tell
        self.lookups = 0
        self.failures = 0
        """Of these lookups; for a metric."""
        self._names: dict[str, _Name] = {}
        self._queue: deque[_Name] = deque()
        self._threads = 0

    async def addresses(self, host: str, ttl_s: float) -> Sequence[str]:
        """Where ``host`` is, the address whose turn it is first; an address stands for itself. Raises ``Unresolved``."""
        if _is_address(host):
            return (host,)
        name = self._names.get(host) or self._add(host)
        age = self._loop.time() - name.answered_at
        if not name.addresses or age >= ttl_s * DNS_REFRESH_SHARE:
            self._refresh(name)
        if name.addresses and age < ttl_s:
            return _in_turn(name)
        if name.answer is not None:
            await self._wait(name, name.answer)
        if not name.addresses:
            raise Unresolved(name.error)
        return _in_turn(name)

    def retain(self, hosts: Collection[str]) -> None:
        """Forgets all other names."""
        self._names = {host: name for host, name in self._names.items() if host in hosts}

    def _add(self, host: str) -> _Name:
        if len(self._names) >= DNS_NAMES_MAX:
            del self._names[next(iter(self._names))]
        name = self._names[host] = _Name(host)
        return name

    async def _wait(self, name: _Name, answer: asyncio.Future[None]) -> None:
        """Until the lookup's time limit at most; with an old answer at hand only for a moment."""
        left_s = name.began_at + DNS_STALE_WAIT_S - self._loop.time() if name.addresses else None
        if left_s is None or left_s > 0:
            await asyncio.wait([answer], timeout=left_s)

    # A lookup: in line, in a thread, and back.

    def _refresh(self, name: _Name) -> None:
        now = self._loop.time()
        if name.answer is not None or now < name.retry_at:
            return
        self.lookups += 1
        name.began_at = now
        name.answer = self._loop.create_future()
        self._loop.call_later(DNS_LOOKUP_S, self._give_up, name, name.answer)
        self._queue.append(name)
        self._start_next()

    def _start_next(self) -> None:
        while self._queue and self._threads < DNS_LOOKUPS_MAX:
            name = self._queue.popleft()
            thread = threading.Thread(target=self._look_up, args=(name,), name=f"resolve {name.text}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                self._fail(name, "its name cannot be resolved: the system has no threads left")
                name.answer = None
            else:
                self._threads += 1

    def _look_up(self, name: _Name) -> None:
        """Runs in the thread."""
        addresses: tuple[str, ...] = ()
        error = "its name cannot be resolved: it has no address"
        try:
            addresses = tuple(dict.fromkeys(self._lookup(name.text)))[:DNS_ADDRESSES_MAX]
        except UnicodeError:
            error = "its host is no valid name"
        except Exception as failure:
            told = failure.strerror if isinstance(failure, OSError) else None
            error = f"its name cannot be resolved: {(told or str(failure)).rstrip('.').lower()}"
        try:
            self._loop.call_soon_threadsafe(self._back, name, addresses, error)
        except RuntimeError:
            return  # The loop was closed meanwhile.

    def _back(self, name: _Name, addresses: tuple[str, ...], error: str) -> None:
        self._threads -= 1
        if addresses:
            self._succeed(name, addresses)
        elif name.answer is not None and not name.answer.done():
            self._fail(name, error)
        name.answer = None
        self._start_next()

    def _give_up(self, name: _Name, answer: asyncio.Future[None]) -> None:
        """The thread goes on, and while it does there is no other for this name."""
        if not answer.done():
            self._fail(name, f"its name cannot be resolved: the resolver did not answer within {DNS_LOOKUP_S:g} s")

    def _succeed(self, name: _Name, addresses: tuple[str, ...]) -> None:
        name.addresses = addresses
        name.answered_at = self._loop.time()
        name.retry_at = 0.0
        _wake(name)
        if name.is_failing:
            name.is_failing = False
            self._say(name, "")

    def _fail(self, name: _Name, error: str) -> None:
        self.failures += 1
        name.error = error
        name.retry_at = self._loop.time() + DNS_RETRY_S
        _wake(name)
        if not name.is_failing:
            name.is_failing = True
            self._say(name, error)

    def _say(self, name: _Name, error: str) -> None:
        if self.tell is not None:
            self.tell(name.text, error)


def _wake(name: _Name) -> None:
    if name.answer is not None and not name.answer.done():
        name.answer.set_result(None)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _in_turn(name: _Name) -> Sequence[str]:
    """Those of the best address's family in turn; then the other family, which is there for when the first does not work."""
    is_v6 = ":" in name.addresses[0]
    best = [address for address in name.addresses if (":" in address) == is_v6]
    others = [address for address in name.addresses if (":" in address) != is_v6]
    first = name.turn % len(best)
    name.turn += 1
    return (*best[first:], *best[:first], *others)

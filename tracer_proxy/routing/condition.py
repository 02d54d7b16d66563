"""What a rule looks at in a request: one thing each, and ``every``, ``some`` and ``none`` of others.

Functions of the module and not closures: a table travels from the process that compiles it to those that route by it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tracer_proxy.context.trust import Trust
from tracer_proxy.genai.json_pointer import Pointer
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.bucket import BUCKETS, bucket, seed
from tracer_proxy.routing.matcher import Matcher, cookie_value, query_value
from tracer_proxy.routing.time_window import TimeWindow

AGENT_ID = b"x-agent-id"


@dataclass(frozen=True, slots=True)
class Condition:
    """``holds(asking, session_key)``; ``str()`` is for ``explain``."""

    text: str
    holds: Callable[[Asking, bytes], bool]
    parts: "tuple[Condition, ...]" = ()
    """Those that it is put together of, so that ``explain`` can say which of them failed."""
    is_every: bool = False
    """All parts must hold."""
    is_share: bool = False
    """It holds for a share of sessions."""
    reads_body: bool = False
    reads_clock: bool = False

    def __str__(self) -> str:
        return self.text

    @property
    def varies(self) -> bool:
        """Between requests with the same head."""
        return self.is_share or self.reads_body or self.reads_clock


def header(name: str, matcher: Matcher) -> Condition:
    return Condition(f"header {name} {matcher}", partial(_header_holds, name.lower().encode(), matcher))


def cookie(name: str, matcher: Matcher) -> Condition:
    return Condition(f"cookie {name} {matcher}", partial(_cookie_holds, name.encode(), matcher))


def query(name: str, matcher: Matcher) -> Condition:
    return Condition(f"query {name} {matcher}", partial(_query_holds, name.encode(), matcher))


def path(matcher: Matcher) -> Condition:
    return Condition(f"path {matcher}", partial(_path_holds, matcher))


def agent(matcher: Matcher) -> Condition:
    return Condition(f"agent {matcher}", partial(_header_holds, AGENT_ID, matcher))


def model(matcher: Matcher) -> Condition:
    return Condition(f"model {matcher}", partial(_model_holds, matcher), reads_body=True)


def body(pointer: Pointer, matcher: Matcher) -> Condition:
    return Condition(f"body /{'/'.join(pointer)} {matcher}", partial(_body_holds, pointer, matcher), reads_body=True)


def client(networks: Sequence[str]) -> Condition:
    return Condition(f"client in {', '.join(networks)}", partial(_client_holds, Trust(networks)))


def certificate(matcher: Matcher) -> Condition:
    return Condition(f"certificate {matcher}", partial(_certificate_holds, matcher))


def time(window: TimeWindow) -> Condition:
    return Condition(f"time {window}", partial(_time_holds, window), reads_clock=True)


def percent(share: float, experiment: str) -> Condition:
    """``share`` of session keys, the same ones for the same ``experiment``; growing it only adds sessions."""
    below = round(share * BUCKETS / 100)
    return Condition(f"{share:g} % of session keys", partial(_is_below, below, seed(experiment)), is_share=True)


def every(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else _combined(" and ".join(map(_bracketed, parts)), _every_holds, parts)


def some(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else _combined(" or ".join(map(_bracketed, parts)), _some_holds, parts)


def none(part: Condition) -> Condition:
    return _combined(f"not {_bracketed(part)}", _none_holds, (part,))


def _combined(text: str, holds: Callable[..., bool], parts: Sequence[Condition]) -> Condition:
    return Condition(
        text,
        partial(holds, tuple(part.holds for part in parts)),
        tuple(parts),
        is_every=holds is _every_holds,
        is_share=any(part.is_share for part in parts),
        reads_body=any(part.reads_body for part in parts),
        reads_clock=any(part.reads_clock for part in parts),
    )


def _bracketed(part: Condition) -> str:
    return f"({part})" if len(part.parts) > 1 else part.text


_Holds = Callable[[Asking, bytes], bool]


def _header_holds(name: bytes, matcher: Matcher, asking: Asking, session_key: bytes) -> bool:
    return matcher.test(asking.head.fields.values.get(name))


def _cookie_holds(name: bytes, matcher: Matcher, asking: Asking, session_key: bytes) -> bool:
    return matcher.test(cookie_value(asking.head.fields.values.get(b"cookie"), name))


def _query_holds(name: bytes, matcher: Matcher, asking: Asking, session_key: bytes) -> bool:
    return matcher.test(query_value(asking.head.query, name))


def _path_holds(matcher: Matcher, asking: Asking, session_key: bytes) -> bool:
    return matcher.test(asking.head.path)


def _model_holds(matcher: Matcher, asking: Asking, session_key: bytes) -> bool:
    return matcher.test(asking.model)


def _body_holds(pointer: Pointer, matcher: Matcher, asking: Asking, session_key: bytes) -> bool:
    found = asking.body.at(pointer) if asking.body is not None else ""
    return matcher.test(found.encode() if found else None)


def _client_holds(networks: Trust, asking: Asking, session_key: bytes) -> bool:
    """Who comes by a Unix socket has no address."""
    return bool(asking.peer) and networks.believes(asking.peer.decode())


def _certificate_holds(matcher: Matcher, asking: Asking, session_key: bytes) -> bool:
    return any(matcher.test(name.encode()) for name in asking.certificate) if asking.certificate else matcher.test(None)


def _time_holds(window: TimeWindow, asking: Asking, session_key: bytes) -> bool:
    return window.has(asking.now)


def _is_below(below: int, salt: int, asking: Asking, session_key: bytes) -> bool:
    return bucket(session_key, salt) < below


def _every_holds(parts: tuple[_Holds, ...], asking: Asking, session_key: bytes) -> bool:
    return all(holds(asking, session_key) for holds in parts)


def _some_holds(parts: tuple[_Holds, ...], asking: Asking, session_key: bytes) -> bool:
    return any(holds(asking, session_key) for holds in parts)


def _none_holds(parts: tuple[_Holds, ...], asking: Asking, session_key: bytes) -> bool:
    return not parts[0](asking, session_key)

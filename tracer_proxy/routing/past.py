"""A request of the past, as the log of exchanges tells of it: enough to decide it again, or the word that something is missing.

What a line does not hold (headers, cookies, bodies, certificates) is not taken for absent: whoever asks for it is told by
``NotRecorded``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from tracer_proxy.genai.json_body import JsonBody
from tracer_proxy.genai.json_pointer import Pointer
from tracer_proxy.limits import LOG_VALUE_CHARS_MAX
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.condition import AGENT_ID
from tracer_proxy.routing.run_prefix import split_run
from tracer_proxy.telemetry.redaction import REDACTED
from tracer_proxy.telemetry.spans import names
from tracer_proxy.wire.fields import Fields
from tracer_proxy.wire.request import RequestHead

Line = Mapping[str, Any]
"""One exchange, by the names of the log's fields."""
_CUT = "…"
_LOSSY = "\ufffd"


class NotRecorded(Exception):
    """Something decides that the record does not hold. A clause that says what."""


class Past(Asking):
    """``asking`` is taken over from ``Asking``; the rest is what came of it then."""

    __slots__ = ("color", "color_source", "facts", "is_bare", "key", "lanes", "route", "rungs", "source", "trace_id")

    def __init__(
        self, head: RequestHead, *, peer: bytes = b"", key: str, source: str, trace_id: str, is_bare: bool = False
    ) -> None:
        super().__init__(head, peer=peer, certificate=() if is_bare else _Hidden())
        self.key = key
        """The session key."""
        self.source = source
        self.trace_id = trace_id.encode()
        self.is_bare = is_bare
        """It says nothing but its session."""
        self.route = self.color_source = ""
        self.lanes: frozenset[str] = frozenset()
        """Where it went, and where it was to go."""
        self.color = b""
        self.rungs: dict[str, bytes | None] = {}
        """What is known to stand, or not to stand, where a rung of the ladder looks; by the rung's source."""
        self.facts: dict[str, bool] = {}
        """What is known of conditions, by their text."""


def bare(key: str, path: bytes) -> Past:
    """A request that says what session it is, and nothing else."""
    head = RequestHead(b"GET", Fields(), True)
    head.path = path
    return Past(head, key=key, source="", trace_id=key, is_bare=True)


def past_of(line: Line) -> Past:
    """Raises ``NotRecorded`` for an exchange that cannot be decided again, whatever the config."""
    source, trace_id = _text(line, names.SESSION_SOURCE), _text(line, "trace_id")
    path = _text(line, "url.path")
    if not path or (_text(line, names.ROUTE) and not source):
        raise NotRecorded("it was refused before a lane was chosen")
    if path.endswith(_CUT) and len(path) == LOG_VALUE_CHARS_MAX:
        raise NotRecorded("its path is not recorded as a whole")
    hangs_on_trace = source in ("trace", "")
    key = _text(line, names.SESSION_KEY) or (trace_id if hangs_on_trace else _text(line, names.SESSION))
    if _LOSSY in key or not key:
        raise NotRecorded("its session key is not recorded as it was")
    head = _head(line, path)
    if source.startswith("header:"):
        head.fields.values[source.removeprefix("header:").encode()] = key.encode()
    past = Past(head, peer=_text(line, "client.address").encode(), key=key, source=source, trace_id=trace_id)
    past.body = _Body(_text(line, "gen_ai.request.model")) if line.get("http.request.body.size") else None
    past.now = _unix_s(_text(line, "time"))
    past.route, past.color = _text(line, names.ROUTE), _text(line, names.COLOR).encode()
    past.color_source = _text(line, names.COLOR_SOURCE)
    past.lanes = frozenset(filter(None, (_text(line, names.LANE_INTENDED), _text(line, names.LANE))))
    if source == "trace" and key != trace_id:
        past.earlier = key.encode()
    return past


def _head(line: Line, path: str) -> RequestHead:
    fields = Fields()
    fields.values = _Headers({b"user-agent": _text(line, "user_agent.original"), AGENT_ID: _text(line, names.AGENT)})
    method = _text(line, "http.request.method")
    head = _Head((_text(line, "http.request.method_original") if method == "_OTHER" else method).encode(), fields, True)
    head.path = split_run(path.encode())[1]
    head.query = _text(line, "url.query").encode()
    host, port = _text(line, "server.address"), line.get("server.port")
    head.authority = (f"[{host}]" if ":" in host else host).encode() + (f":{port}".encode() if port else b"")
    return head


def _text(line: Line, name: str) -> str:
    found = line.get(name)
    return found if isinstance(found, str) else ""


def _unix_s(time: str) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        raise NotRecorded("its time is not recorded") from None


class _Head(RequestHead):
    """One whose query may have been masked."""

    __slots__ = ("_query",)

    _query: bytes

    @property
    def query(self) -> bytes:
        if REDACTED.encode() in self._query or self._query.endswith(_CUT.encode()):
            raise NotRecorded("its query is masked")
        return self._query

    @query.setter
    def query(self, query: bytes) -> None:
        self._query = query


class _Headers(dict[bytes, bytes]):
    """``known`` are those of which it is known whether they were there; empty ones were not."""

    def __init__(self, known: Mapping[bytes, str]) -> None:
        super().__init__({name: value.encode() for name, value in known.items() if value})
        self._known = frozenset(known)

    def get(self, name: bytes, default: Any = None) -> Any:
        if name not in self and name not in self._known:
            raise NotRecorded(f"the header {name.decode()} is not recorded")
        return super().get(name, default)


class _Body(JsonBody):
    """``model`` is what is known of it."""

    __slots__ = ("_model",)

    def __init__(self, model: str) -> None:
        super().__init__(b"")
        self._model = model

    def at(self, pointer: Pointer) -> str:
        if pointer == ("model",) and self._model:
            return self._model
        raise NotRecorded(f"/{'/'.join(pointer)} of its body is not recorded")


class _Hidden(Sequence[str]):
    """The names in the client's certificate."""

    def __getitem__(self, index: Any) -> NoReturn:
        raise NotRecorded("its certificate is not recorded")

    def __len__(self) -> NoReturn:
        raise NotRecorded("its certificate is not recorded")

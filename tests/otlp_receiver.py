"""A receiver of OTLP over HTTP: takes what a real exporter sends apart with the protocol's own package and keeps the spans."""

import asyncio
import gzip
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

WAIT_S = 30.0
BODY_BYTES_MAX = 64 * 1024**2
PROTOBUF = "application/x-protobuf"

Attributes = Mapping[str, Any]
"""Values are str, bool, int, float, bytes, a list or a dict of such."""


@dataclass(frozen=True)
class Event:
    name: str
    at_ns: int
    attributes: Attributes


@dataclass(frozen=True)
class Link:
    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True)
class Span:
    """One span. Ids are lower-case hex."""

    trace_id: str
    span_id: str
    parent_id: str
    """Empty at a root."""
    name: str
    kind: str
    """``SERVER``, ``CLIENT``, ``INTERNAL``, ``PRODUCER``, ``CONSUMER``, ``UNSPECIFIED``."""
    begins_ns: int
    ends_ns: int
    """Unix time."""
    attributes: Attributes
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    status: str
    """``UNSET``, ``OK`` or ``ERROR``."""
    status_message: str
    trace_state: str
    flags: int
    resource: Attributes
    scope: str

    @property
    def duration_s(self) -> float:
        return (self.ends_ns - self.begins_ns) / 1e9


@dataclass(frozen=True)
class Tree:
    """The spans of one trace."""

    trace_id: str
    spans: tuple[Span, ...]
    """By begin."""

    @property
    def roots(self) -> list[Span]:
        """Spans without a parent."""
        return [span for span in self.spans if not span.parent_id]

    @property
    def orphans(self) -> list[Span]:
        """Spans whose parent is not there."""
        known = {span.span_id for span in self.spans}
        return [span for span in self.spans if span.parent_id and span.parent_id not in known]

    @property
    def doubles(self) -> list[str]:
        """Ids that more than one span has."""
        ids = [span.span_id for span in self.spans]
        return sorted({span_id for span_id in ids if ids.count(span_id) > 1})

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def of_kind(self, kind: str) -> list[Span]:
        return [span for span in self.spans if span.kind == kind]

    def children(self, span: Span) -> list[Span]:
        return [each for each in self.spans if each.parent_id == span.span_id]

    def parent(self, span: Span) -> Span | None:
        return next((each for each in self.spans if each.span_id == span.parent_id), None)

    def __str__(self) -> str:
        lines = [f"trace {self.trace_id}"]

        def show(spans: Iterable[Span], indent: str) -> None:
            for span in spans:
                lines.append(f"{indent}{span.kind.lower()} {span.name} [{span.span_id}] {span.duration_s * 1000:.1f} ms")
                show(self.children(span), indent + "  ")

        show(self.roots, "  ")
        lines += [
            f"  orphan {span.kind.lower()} {span.name} [{span.span_id}], parent {span.parent_id}" for span in self.orphans
        ]
        return "\n".join(lines)


class OtlpReceiver:
    """``endpoint`` is what an exporter is told; ``status`` and ``delay_s`` may be changed while it runs."""

    def __init__(self, status: int = 200, delay_s: float = 0.0) -> None:
        self.status = status
        """What it answers with. Of what it does not answer with 200 it keeps nothing."""
        self.delay_s = delay_s
        """Before it answers."""
        self.spans: list[Span] = []
        self.requests: list[Mapping[str, str]] = []
        """Headers of every request, names in lower case, refused ones too."""
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._news = asyncio.Event()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """On the port it had before, if any."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Whoever connects from now on is refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        self.requests.append({name.lower(): value for name, value in request.headers.items()})
        body = await request.read()
        await asyncio.sleep(self.delay_s)
        if self.status != 200:
            return web.Response(status=self.status, headers={"retry-after": "0"})
        if request.content_type != PROTOBUF:
            return web.Response(status=415, text=f"content-type is {request.content_type}; send {PROTOBUF}")
        try:
            self.spans += decoded(body)
        except (DecodeError, gzip.BadGzipFile) as error:
            return web.Response(status=400, text=f"the body is no ExportTraceServiceRequest: {error}")
        self._news.set()
        return web.Response(body=ExportTraceServiceResponse().SerializeToString(), content_type=PROTOBUF)

    def trees(self) -> dict[str, Tree]:
        """By trace id, in the order the traces began to arrive."""
        found: dict[str, list[Span]] = defaultdict(list)
        for span in self.spans:
            found[span.trace_id].append(span)
        return {
            trace_id: Tree(trace_id, tuple(sorted(spans, key=lambda span: span.begins_ns))) for trace_id, spans in found.items()
        }

    async def wait_for(self, predicate: Callable[["OtlpReceiver"], bool], timeout_s: float = WAIT_S) -> None:
        """Returns once ``predicate`` holds. AssertionError after ``timeout_s`` with what did arrive."""
        try:
            async with asyncio.timeout(timeout_s):
                while not predicate(self):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            shown = "\n".join(str(tree) for tree in list(self.trees().values())[:20])
            came = f"{len(self.requests)} exports, {len(self.spans)} spans in {len(self.trees())} traces"
            raise AssertionError(f"not within {timeout_s} s; there came {came}:\n{shown}") from None

    async def spans_of(self, count: int, timeout_s: float = WAIT_S) -> list[Span]:
        """All spans, once there are at least ``count``."""
        await self.wait_for(lambda receiver: len(receiver.spans) >= count, timeout_s)
        return self.spans


def decoded(body: bytes) -> list[Span]:
    """The spans of an export."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        _span(span, _attributes(group.resource.attributes), scope.scope.name)
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _span(span: trace_pb2.Span, resource: Attributes, scope: str) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        begins_ns=span.start_time_unix_nano,
        ends_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        events=tuple(Event(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in span.events),
        links=tuple(Link(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes)) for link in span.links),
        status=trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        status_message=span.status.message,
        trace_state=span.trace_state,
        flags=span.flags,
        resource=resource,
        scope=scope,
    )


def _attributes(given: Iterable[KeyValue]) -> Attributes:
    return {each.key: _value(each.value) for each in given}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None


@asynccontextmanager
async def otlp_receiver(status: int = 200, delay_s: float = 0.0) -> AsyncIterator[OtlpReceiver]:
    receiver = OtlpReceiver(status, delay_s)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()

"""Spans as trees on stderr, for people who try things out."""

import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from tracer_proxy.config.tracing import Tracing
from tracer_proxy.limits import CONSOLE_SPANS_MAX, CONSOLE_WAIT_S
from tracer_proxy.telemetry.spans import AttributeValue, Kind, SpanData, names

_SHORT = "└─ ", "   "
_LONG = "├─ ", "│  "


@dataclass
class _Waiting:
    """Spans of one trace whose root has not ended yet."""

    spans: list[SpanData] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)


class ConsoleSink:
    """A trace is shown when its root has ended, or after a while with what there is: the root may be another service's."""

    target = "stderr"

    def __init__(self, tracing: Tracing | None = None, to: TextIO | None = None) -> None:
        self._to = to or sys.stderr
        self._waiting: dict[str, _Waiting] = defaultdict(_Waiting)

    def export(self, spans: Sequence[SpanData]) -> int:
        for span in spans:
            self._waiting[span.trace_id].spans.append(span)
        roots = {span.trace_id for span in spans if not span.parent_id}
        for trace_id in [trace_id for trace_id in self._waiting if trace_id in roots]:
            self._show(trace_id)
        self.tick()
        return 0

    def tick(self) -> None:
        too_many = sum(len(waiting.spans) for waiting in self._waiting.values()) > CONSOLE_SPANS_MAX
        now = time.monotonic()
        for trace_id in list(self._waiting):
            if too_many or now - self._waiting[trace_id].since >= CONSOLE_WAIT_S:
                self._show(trace_id)

    def close(self) -> None:
        for trace_id in list(self._waiting):
            self._show(trace_id)

    def _show(self, trace_id: str) -> None:
        spans = self._waiting.pop(trace_id).spans
        self._to.write("".join(f"{line}\n" for line in tree(trace_id, spans)))
        self._to.flush()


def tree(trace_id: str, spans: Sequence[SpanData]) -> Iterator[str]:
    """One trace, top to bottom; begins count from the first of its spans."""
    by_begin = sorted(spans, key=lambda span: (span.start_ns, span.kind is Kind.CLIENT))
    known = {span.span_id for span in spans}
    below: dict[str, list[SpanData]] = defaultdict(list)
    for span in by_begin:
        below[span.parent_id if span.parent_id in known else ""].append(span)
    is_whole = any(not span.parent_id for span in spans)
    yield f"trace {trace_id}" if is_whole else f"trace {trace_id}, a part of it"
    yield from _lines(below, "", "", by_begin[0].start_ns, set())


def _lines(below: dict[str, list[SpanData]], parent: str, trunk: str, zero_ns: int, shown: set[str]) -> Iterator[str]:
    children = below.get(parent, [])
    for span in children:
        if span.span_id in shown:
            continue
        shown.add(span.span_id)
        branch, rest = _SHORT if span is children[-1] else _LONG
        yield trunk + branch + _line(span, zero_ns)
        yield from _lines(below, span.span_id, trunk + rest, zero_ns, shown)


def _line(span: SpanData, zero_ns: int) -> str:
    facts = [
        _plain(span.name),
        f"+{(span.start_ns - zero_ns) / 1e6:.0f} ms",
        f"took {(span.end_ns - span.start_ns) / 1e6:.1f} ms",
    ]
    facts += [_plain(fact) for fact in _facts(span) if fact]
    return "  ".join(facts)


def _facts(span: SpanData) -> Iterator[str]:
    found = span.attributes
    yield str(found.get("http.response.status_code", ""))
    if span.is_error:
        yield f"error {found.get(names.ERROR_TYPE, '')}" + (f": {span.description}" if span.description else "")
    if found.get(names.CLIENT_GONE):
        yield "the client left"
    if span.kind is Kind.SERVER:
        yield _said("lane ", found.get(names.LANE))
        yield _said("instead of ", found.get(names.LANE_INTENDED))
        yield _said("colour ", found.get(names.COLOR))
        yield _said("session ", found.get(names.SESSION))
    if span.kind is Kind.CLIENT:
        yield _said("to ", found.get(names.ENDPOINT))
        yield _tokens(found.get("gen_ai.usage.input_tokens"), found.get("gen_ai.usage.output_tokens"))
    if found.get(names.INFERRED):
        yield "inferred"


def _said(before: str, value: AttributeValue | None) -> str:
    return f"{before}{value}" if value else ""


def _tokens(asked: AttributeValue | None, answered: AttributeValue | None) -> str:
    return "" if asked is None and answered is None else f"{asked or 0} → {answered or 0} tokens"


def _plain(text: str) -> str:
    """Names of models and sessions are callers' text, and a terminal obeys control characters."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)

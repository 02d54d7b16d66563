"""One trace as a tree with a waterfall, made of the exchanges that the admin API remembers of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tracer_proxy.cli import exchange_text as shown
from tracer_proxy.cli.exchange_text import Exchange
from tracer_proxy.telemetry.branches import branches

_BAR_CELLS = 24
_GAP = "  "
_ROOM_MIN = 16


@dataclass(slots=True)
class Span:
    """What is drawn as a line. Times are Unix seconds."""

    name: str
    style: str
    what: str
    began: float
    ended: float
    span_id: str = ""
    parent_id: str = ""
    failed: bool = False
    below: list["Span"] = field(default_factory=list)


def grown(exchanges: Sequence[Exchange]) -> Span:
    """The whole trace, with every span below its parent. A parent that is not known is outside of the proxy."""
    spans = sorted((span for exchange in exchanges for span in _spans(exchange)), key=lambda span: span.began)
    by_id = {span.span_id: span for span in spans}
    roots = []
    for span in spans:
        parent = by_id.get(span.parent_id)
        if parent is None or _is_above(span, parent, by_id):
            roots.append(span)
        else:
            parent.below.append(span)
    began, ended = min(span.began for span in spans), max(span.ended for span in spans)
    return Span("trace", "bold", _about(exchanges), began, ended, below=roots)


def _is_above(span: Span, other: Span, by_id: Mapping[str, Span]) -> bool:
    """Ids come from callers, too: a circle must not be drawn for ever."""
    seen: set[str] = set()
    current: Span | None = other
    while current is not None and current.span_id not in seen:
        if current.span_id == span.span_id:
            return True
        seen.add(current.span_id)
        current = by_id.get(current.parent_id)
    return False


def _about(exchanges: Sequence[Exchange]) -> str:
    sessions = dict.fromkeys(each["session.id"] for each in exchanges if "session.id" in each)
    count = f"{len(exchanges)} exchange{'s'[: len(exchanges) > 1]}"
    return ", ".join((exchanges[0]["trace_id"], count, *(f"session {session}" for session in sessions)))


def _spans(exchange: Exchange) -> Iterator[Span]:
    served = exchange["span_id"]
    yield _span(
        f"{shown.method_of(exchange)} {exchange.get('http.route') or exchange['url.path']}",
        "cyan",
        ", ".join(_about_serving(exchange)),
        exchange,
        parent_id=exchange.get("parent_id", ""),
        failed=bool(exchange.get("error.type")),
    )
    for number, attempt in enumerate(exchange["attempts"], 1):
        whose = exchange if number == len(exchange["attempts"]) else {}
        failed = bool(attempt["error"] or shown.call_error_of(whose)) or (attempt["status"] or 0) >= 400
        what = ", ".join(_about_attempt(whose, attempt))
        yield _span(f"→ {attempt['endpoint']}", "green", what, attempt, parent_id=served, failed=failed)
    for run in exchange["tools"]:
        what = ", ".join(("inferred", *([run["call_id"]] if run["call_id"] else []), *(["failed"] if run["failed"] else [])))
        yield _span(f"execute_tool {run['tool']}", "yellow", what, run, parent_id=run["parent_id"], failed=run["failed"])


def _span(name: str, style: str, what: str, timed: Mapping[str, Any], *, parent_id: str, failed: bool) -> Span:
    began = timed["start_s"]
    return Span(name, style, what, began, began + timed["duration_s"], timed["span_id"], parent_id, failed)


def _about_serving(exchange: Exchange) -> Iterator[str]:
    yield shown.status_of(exchange)
    if error := exchange.get("error.type"):
        yield error
    if route := exchange.get("tracer_proxy.route"):
        yield f"route {route}"
    if lane := shown.lane_of(exchange):
        yield f"lane {lane}"
    if color := shown.color_of(exchange):
        yield f"colour {color}"
    if (joined_by := exchange["tracer_proxy.joined_by"]) not in ("new", "traceparent"):
        yield f"joined by {joined_by}"


def _about_attempt(exchange: Exchange, attempt: Mapping[str, Any]) -> Iterator[str]:
    """``exchange`` is the one that this attempt answered, or empty."""
    outcome = str(attempt["status"] or attempt["error"] or "no answer")
    yield outcome
    if (error := shown.call_error_of(exchange)) not in ("", outcome):
        yield error
    if model := shown.model_of(exchange):
        yield f"{exchange.get('gen_ai.operation.name', '')} {model}".strip()
    if tokens := shown.tokens_of(exchange):
        yield f"{tokens} tokens"


def lines(root: Span, width: int | None) -> Iterator[Text]:
    """Top to bottom, each at most ``width`` cells wide; with ``None`` as wide as it gets."""
    rows = [(drawing, span) for drawing, span in branches(root, lambda span: span.below)]
    names = max(cell_len(drawing + span.name) for drawing, span in rows)
    whats = max(cell_len(span.what) for _, span in rows)
    times = 2 * (8 + len(_GAP))
    if width is not None:
        rest = width - times - _BAR_CELLS - 3 * len(_GAP)
        names = min(names, max(_ROOM_MIN, rest // 2))
        whats = min(whats, max(_ROOM_MIN, rest - names))
    for drawing, span in rows:
        name = _column(span.name, names - cell_len(drawing))
        what = _column(span.what, whats)
        started = f"+{shown.duration(span.began - root.began)}".rjust(8)
        lasted = shown.duration(span.ended - span.began).rjust(8)
        parts = (Text.assemble((drawing, "dim"), (name, span.style)), Text(what, "red" if span.failed else ""))
        times_and_bar = (Text(started, "dim"), Text(lasted, "bold"), Text(_bar(span, root), span.style))
        made = Text(_GAP).join((*parts, *times_and_bar))
        made.rstrip()
        yield made


def _column(text: str, cells: int) -> str:
    cells = max(cells, 1)
    return set_cell_size(shown.shortened(shown.printable(text), cells), cells)


def _bar(span: Span, whole: Span) -> str:
    """At least one cell, within the time of the whole."""
    per_s = _BAR_CELLS / max(whole.ended - whole.began, 1e-9)
    first = min(int((span.began - whole.began) * per_s), _BAR_CELLS - 1)
    cells = max(1, round((span.ended - whole.began) * per_s) - first)
    return " " * first + "█" * min(cells, _BAR_CELLS - first)

"""An exchange of the admin API on the screen: in a line of its own, and in words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zlib import crc32

from rich.cells import cell_len, set_cell_size
from rich.text import Text

Exchange = Mapping[str, Any]

_PAINTS = ("yellow", "cyan", "magenta", "green", "blue", "bright_red", "bright_cyan", "bright_magenta")
_COLUMNS = (
    ("time", 12),
    ("request", 24),
    ("colour", 8),
    ("lane", 12),
    ("status", 6),
    ("model", 20),
    ("tokens", 11),
    ("first", 7),
    ("whole", 7),
    ("trace", 8),
)
_TRACE_CHARS = 8


def heading() -> Text:
    return Text("  ".join(name.ljust(cells) for name, cells in _COLUMNS).rstrip(), "dim")


def line(exchange: Exchange, *, cut: bool) -> Text:
    """``cut`` shortens what is longer than its column, so that the columns stand below each other."""
    told = (
        (_time(exchange), "dim"),
        (f"{method_of(exchange)} {exchange.get('tracer_proxy.route') or exchange['url.path']}", "bold"),
        (color_of(exchange) or "-", paint(color_of(exchange))),
        (lane_of(exchange) or "-", ""),
        (status_of(exchange), status_style(exchange)),
        (model_of(exchange) or "-", ""),
        (tokens_of(exchange) or "-", ""),
        (duration(exchange.get("first_byte_s")), ""),
        (duration(exchange["duration_s"]), "bold"),
        (exchange["trace_id"][:_TRACE_CHARS], "dim"),
        (error_of(exchange), "red"),
    )
    parts = []
    for place, (text, style) in enumerate(told):
        text = printable(text)
        if place < len(_COLUMNS):
            cells = _COLUMNS[place][1]
            text = shortened(text, cells) if cut else text
            text = text if cell_len(text) >= cells else set_cell_size(text, cells)
        parts.append(Text(text, style))
    made = Text("  ").join(parts)
    made.rstrip()
    return made


def printable(text: str) -> str:
    """What callers send may hold what would move the cursor or change the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def shortened(text: str, cells: int) -> str:
    return text if cell_len(text) <= cells else set_cell_size(text, max(cells, 1) - 1) + "…"


def method_of(exchange: Exchange) -> str:
    """As the caller sent it, also one that HTTP does not know."""
    return str(exchange.get("http.request.method_original") or exchange["http.request.method"])


def color_of(exchange: Exchange) -> str:
    return str(exchange.get("tracer_proxy.color", ""))


def paint(color: str) -> str:
    """The same for the same colour, whatever its name: one that is a terminal's own looks like it."""
    if color in ("red", "green", "yellow", "blue", "magenta", "cyan"):
        return color
    return _PAINTS[crc32(color.encode()) % len(_PAINTS)] if color else "dim"


def lane_of(exchange: Exchange) -> str:
    lane, intended = exchange.get("tracer_proxy.lane", ""), exchange.get("tracer_proxy.lane.intended")
    return f"{lane} (no {intended})" if lane and intended else str(lane)


def status_of(exchange: Exchange) -> str:
    """``gone`` also when the client left in the midst of an answer: the metrics count that as no answer, too."""
    return "gone" if has_left(exchange) else str(exchange.get("http.response.status_code", "-"))


def status_style(exchange: Exchange) -> str:
    if exchange["level"] != "info":
        return "bold red"
    return "yellow" if has_left(exchange) or exchange.get("http.response.status_code", 0) >= 400 else "green"


def has_left(exchange: Exchange) -> bool:
    return bool(exchange.get("tracer_proxy.client_gone"))


def error_of(exchange: Exchange) -> str:
    """By which it failed, or else what the endpoint's answer says of itself, such as a provider's code."""
    return str(exchange.get("error.type") or call_error_of(exchange))


def call_error_of(exchange: Exchange) -> str:
    """Of the last attempt; empty where that is no more than its status."""
    error = str(exchange.get("tracer_proxy.call.error", ""))
    return "" if error == str(exchange.get("http.response.status_code")) else error


def model_of(exchange: Exchange) -> str:
    """Or the tool that was called."""
    named = ("gen_ai.response.model", "gen_ai.request.model", "gen_ai.tool.name", "mcp.method.name", "a2a.method.name")
    return str(next((exchange[name] for name in named if name in exchange), ""))


def tokens_of(exchange: Exchange) -> str:
    """In and out."""
    given, got = (exchange.get(f"gen_ai.usage.{side}_tokens") for side in ("input", "output"))
    return "" if given is None and got is None else f"{_count(given)}→{_count(got)}"


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.3g}ms" if seconds < 0.9995 else "1.00s"
    if seconds < 60:
        return f"{seconds:.2f}s"
    return f"{int(seconds) // 60}m{int(seconds) % 60:02}s"


def _time(exchange: Exchange) -> str:
    """Of its end, on the clock of the reader, which is when it is shown."""
    ended = datetime.fromtimestamp(exchange["start_s"] + exchange["duration_s"])
    return ended.strftime("%H:%M:%S.") + f"{ended.microsecond // 1000:03}"

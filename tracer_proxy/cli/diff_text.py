"""What ``diff`` has found, as lines for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from tracer_proxy.cli.exchange_text import printable

_ROUTES = {
    "added": "is new",
    "removed": "is gone: its requests go to other routes, or get 404",
    "match": "matches other requests than before",
    "ladder": "looks for the session key in other places: what hangs on another key may go elsewhere",
}
_WHAT = {"lane": "lane", "pool": "pool", "color": "colour"}


def lines(document: Mapping[str, Any]) -> Iterator[Text]:
    if "sessions" in document:
        yield from _sessions(document["sessions"])
    else:
        yield from _shares(document)
    for note in document["notes"]:
        yield Text(f"note: {printable(note)}", "yellow")


def _shares(document: Mapping[str, Any]) -> Iterator[Text]:
    told = [
        *(_row(each, f"{_arrow(each)}: {each['percent']:.2f} % of all sessions without colour") for each in document["moves"]),
        *(_row(each, f"{printable(each['lane'])} has another pool: {_arrow(each)}") for each in document["pools"]),
        *(_row(each, f"colour {printable(each['color'])} is served by {_arrow(each)}") for each in document["colors"]),
        *(_row(each, _ROUTES[each["change"]]) for each in document["routes"]),
    ]
    if document["rules_changed"]:
        told.append(Text("The colour rules change: whom that moves depends on what requests say; --sessions tells it of some."))
    yield from told or [Text("Nobody changes lane, pool or colour.", "green")]


def _sessions(found: Mapping[str, Any]) -> Iterator[Text]:
    yield Text(
        f"{_count(found['sessions'], 'session')} in {_count(found['exchanges'], 'exchange')}: {found['same']} stay as they are"
    )
    for each in found["changes"]:
        share = f"{_count(each['sessions'], 'session')}, {each['percent']:.2f} %"
        yield _row(each, f"{_WHAT[each['change']]} {_arrow(each)}: {share}")
    for each in found["who"]:
        colors = f"  colour {' → '.join(map(printable, each['colors']))}" if each["colors"] else ""
        yield Text(f"  {printable(each['session'])}  {printable(each['route'])}  {_arrow(each)}{colors}")
    if found["more"]:
        yield Text(f"  and {found['more']} more; --limit names them", "dim")
    for each in found["untold"]:
        yield Text(f"cannot be told of {_count(each['sessions'], 'session')}: {printable(each['reason'])}", "yellow")
    for each in found["unusable"]:
        yield Text(f"left out, {_count(each['exchanges'], 'exchange')}: {printable(each['reason'])}", "yellow")
    if found["elsewhere"]:
        told = "went elsewhere than OLD sends them: other weights were in force, or a lane was down"
        yield Text(f"{_count(found['elsewhere'], 'exchange')} {told}", "yellow")


def _row(each: Mapping[str, Any], told: str) -> Text:
    return Text.assemble((f"{printable(each['route'])}: ", "bold"), told)


def _arrow(each: Mapping[str, Any]) -> str:
    return f"{printable(each['from'])} → {printable(each['to'])}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

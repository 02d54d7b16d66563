"""What another config would do to sessions, as a JSON document: for ``tracer-proxy diff`` and a reload that is only tried."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tracer_proxy.routing.compare import Comparison, Kind, Place, Shares, Told

_CHANGES = {Kind.MOVES: "lane", Kind.POOL: "pool", Kind.COLOR: "color"}
_NO_ROUTE = "no route"


def shares_shown(shares: Shares) -> dict[str, Any]:
    return {
        "moves": [
            {"route": move.route, "from": move.before, "to": move.after, "percent": round(move.percent, 2)}
            for move in shares.moves
        ],
        "pools": [dict(zip(("route", "lane", "from", "to"), pool, strict=True)) for pool in shares.pools],
        "colors": [dict(zip(("route", "color", "from", "to"), color, strict=True)) for color in shares.colors],
        "routes": [{"route": route, "change": change} for route, change in shares.routes],
        "rules_changed": shares.rules,
    }


def sessions_shown(found: Comparison, limit: int) -> dict[str, Any]:
    """``who`` names up to ``limit`` sessions that change."""
    changed = [each for kind in _CHANGES for each in found.of(kind)]
    return {
        "exchanges": found.exchanges,
        "sessions": len(found.sessions),
        "same": len(found.of(Kind.SAME)),
        "changes": [change for kind in _CHANGES for change in _counted(found, kind)],
        "who": [_who(route, key, told) for (route, key), told in changed[:limit]],
        "more": max(0, len(changed) - limit),
        "untold": _reasons(Counter(told.reason for _, told in found.of(Kind.UNTOLD)), "sessions"),
        "unusable": _reasons(found.unusable, "exchanges"),
        "elsewhere": found.elsewhere,
    }


def _counted(found: Comparison, kind: Kind) -> Iterable[dict[str, Any]]:
    of_route = Counter(route for route, _ in found.sessions)
    counts = Counter((route, *_ends(told)) for (route, _), told in found.of(kind))
    for (route, before, after), count in counts.most_common():
        percent = round(100 * count / of_route[route], 2)
        yield {
            "change": _CHANGES[kind],
            "route": route or _NO_ROUTE,
            "from": before,
            "to": after,
            "sessions": count,
            "percent": percent,
        }


def _who(route: str, key: str, told: Told) -> dict[str, Any]:
    before, after = _ends(told)
    why = [_why(told.before), _why(told.after)] if told.before.color != told.after.color else []
    return {
        "session": key,
        "route": route or _NO_ROUTE,
        "change": _CHANGES[told.kind],
        "from": before,
        "to": after,
        "colors": why,
    }


def _ends(told: Told) -> tuple[str, str]:
    before, after = told.before, told.after
    if told.kind is Kind.POOL:
        return before.pool, after.pool
    if told.kind is Kind.COLOR:
        return before.color or "none", after.color or "none"
    if before.route == after.route:
        return before.lane, after.lane
    return _where(before), _where(after)


def _where(place: Place) -> str:
    return f"{place.route}/{place.lane}" if place.route else _NO_ROUTE


def _why(place: Place) -> str:
    return f"{place.color} ({place.color_source})" if place.color else "none"


def _reasons(reasons: Counter[str], what: str) -> list[dict[str, Any]]:
    return [{"reason": reason, what: count} for reason, count in reasons.most_common()]

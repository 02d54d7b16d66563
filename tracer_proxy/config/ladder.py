"""From a route's ``sticky`` to the ladder that workers climb."""

from collections.abc import Iterator

from tracer_proxy.config.matchers import Sticky
from tracer_proxy.config.routes import Route
from tracer_proxy.genai.json_pointer import parse_pointer
from tracer_proxy.routing import session
from tracer_proxy.telemetry.redaction import is_telling


def ladder(route: Route, *, reads_answers: bool) -> tuple[session.Rung, ...]:
    """The trace id stands last even where it is not listed: a split needs some key, and every exchange has that one.

    ``reads_answers`` where it is known whose ids a request repeats.
    """
    before_trace = [rung for rung in _until_trace(route) if rung.kind != "answer" or reads_answers]
    rungs = [_rung(each) for each in before_trace]
    own = Sticky("cookie", route.session_cookie.name) if route.session_cookie else None
    for config, rung in zip(before_trace, rungs, strict=True):
        rung.is_secret = config != own and _is_secret(config)
    if own is not None and own not in before_trace:
        rungs.append(session.CookieRung(own.name))
    return (*rungs, session.TraceRung())


def _until_trace(route: Route) -> Iterator[Sticky]:
    for rung in route.sticky:
        if rung.kind == "trace":
            return
        yield rung


def _is_secret(rung: Sticky) -> bool:
    """What a cookie holds lets its owner in, as a rule."""
    return rung.kind == "cookie" or is_telling(rung.name.rpartition("/")[2] if rung.kind == "body" else rung.name)


def _rung(rung: Sticky) -> session.Rung:
    match rung.kind:
        case "header":
            return session.HeaderRung(rung.name)
        case "harness":
            return session.HarnessRung()
        case "query":
            return session.QueryRung(rung.name)
        case "cookie":
            return session.CookieRung(rung.name)
        case "baggage":
            return session.BaggageRung(rung.name)
        case "a2a":
            return session.BodyRung("a2a", session.A2A_CONTEXT)
        case "answer":
            return session.AnswerRung()
    return session.BodyRung(str(rung), [parse_pointer(rung.name)] if rung.name else session.KNOWN_IN_BODY)

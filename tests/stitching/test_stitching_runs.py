"""All that names one run is one trace."""

from stitching_cases import NOW, SCOPE, UNIQUE, answered, asked, call, echo, new_span, new_trace, stitcher

from tracer_proxy.limits import TRACE_AGE_S_MAX
from tracer_proxy.stitching.keys import Scope
from tracer_proxy.stitching.stitcher import Stitcher
from tracer_proxy.stitching.turn import Joined, Turn
from tracer_proxy.telemetry.record import Link

OTHER = SCOPE._replace(credential=b"other")


def step(
    proxy: Stitcher, scope: Scope = SCOPE, trusted: bool = True, now: float = NOW, run: bytes = b"r"
) -> tuple[Joined, Turn]:
    joined = proxy.runs.join(run, scope, trusted, now)
    turn = joined.turn(new_trace(), new_span(), True, b"blue", now)
    proxy.runs.remember(turn, run, scope, trusted, now)
    return joined, turn


def test_the_first_request_is_the_root_of_all_others_whatever_their_credential() -> None:
    proxy = stitcher()
    first, turn = step(proxy)
    assert (first.method, first.trace_id) == ("new", b"")
    for scope in (SCOPE, OTHER):
        joined, _ = step(proxy, scope)
        assert (joined.method, joined.trace_id, joined.parent_id) == ("run", turn.trace_id, turn.root_id)
        assert joined.color == b"blue"
    assert step(proxy, run=b"other")[0].trace_id == b""
    assert step(proxy, SCOPE._replace(listener=b"other"))[0].trace_id == b""
    assert proxy.counts.joins == {"new": 3, "run": 2}


def test_who_is_not_trusted_meets_nobody_else() -> None:
    proxy = stitcher()
    step(proxy)
    _, turn = step(proxy, trusted=False)
    assert step(proxy, OTHER, trusted=False)[0].trace_id == b""
    assert step(proxy, trusted=False)[0].trace_id == turn.trace_id


def test_a_run_that_began_twice_at_once_goes_on_as_one() -> None:
    proxy = stitcher()
    turns = [proxy.runs.join(b"r", SCOPE, True, at).turn(new_trace(), new_span(), True, b"", at) for at in (NOW + 1, NOW)]
    for turn in turns:
        proxy.runs.remember(turn, b"r", SCOPE, True, NOW + 2)
    assert {step(proxy, now=NOW + 3 + later)[0].trace_id for later in range(5)} == {turns[1].trace_id}


def test_a_run_that_is_too_old_goes_on_in_a_new_trace() -> None:
    proxy = stitcher()
    _, turn = step(proxy)
    joined, second = step(proxy, now=NOW + TRACE_AGE_S_MAX + 1)
    assert (joined.trace_id, joined.session) == (b"", turn.session)
    assert joined.links == [Link(turn.trace_id, turn.root_id, "rolled_over")]
    assert step(proxy, now=NOW + TRACE_AGE_S_MAX + 2)[0].trace_id == second.trace_id


def test_tool_runs_are_told_within_a_run() -> None:
    proxy = stitcher()
    joined, turn = step(proxy)
    proxy.remember(turn, SCOPE, new_span(), answered(call(UNIQUE)), asked(), NOW)
    joined, turn = step(proxy)
    found = proxy.beside(asked(echo(UNIQUE)), SCOPE, joined.trace_id, NOW)
    assert [(run.parent_id, run.call_id) for run in found.tools] == [(turn.root_id, UNIQUE)]

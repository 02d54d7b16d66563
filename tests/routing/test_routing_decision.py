"""From a request to a lane: session key, colour, lane, and what is recorded about them."""

import pytest
from routing_cases import decided, table_of

from tracer_proxy.routing.bucket import bucket

TABLE = table_of("""
version: 1
coloring:
  - {color: canary, when: {header: {x-canary: "1"}}}
  - {color: purple, when: {header: {x-purple: {present: true}}}}
routes:
  - name: planner
    match: {path: /planner}
    lanes:
      - {name: next, pool: v2, weight: 5, colors: [canary, beta]}
      - {name: stable, pool: v1, weight: 95, baseline: true}
  - name: painted
    match: {path: /painted}
    lanes:
      - {name: stable, pool: v1, weight: 50}
      - {name: next, pool: v2, weight: 50, colors: [canary], color: canary}
  - name: lone
    lanes: [{name: only, pool: v1, color: lone}]
pools:
  v1: {endpoints: [http://127.0.0.1:7001]}
  v2: {endpoints: [http://127.0.0.1:7002]}
""")


@pytest.mark.parametrize("color", ["canary", "beta"])
def test_the_lane_that_serves_the_colour(color: str) -> None:
    decision = decided(TABLE, "/planner", f"x-traffic-color: {color}")
    assert (decision.lane.name, decision.color, decision.color_source) == ("next", color.encode(), "inbound")
    assert not decision.fell_back


@pytest.mark.parametrize("header", ["x-traffic-color: purple", "x-purple: any", "baggage: color=purple"])
def test_an_unknown_colour_goes_to_the_marked_baseline_and_is_kept(header: str) -> None:
    """Whatever the session's bucket: the colour decides."""
    for session in range(50):
        decision = decided(TABLE, "/planner", header, f"x-session-id: {session}")
        assert (decision.lane.name, decision.color, decision.fell_back) == ("stable", b"purple", True)


def test_a_colour_that_is_none_is_not_believed() -> None:
    decision = decided(TABLE, "/planner", "x-traffic-color: No Colour!", "x-session-id: alice")
    assert (decision.color, decision.color_source, decision.fell_back) == (b"", "none", False)


def test_without_colour_the_bucket_decides() -> None:
    taken = set()
    for session in range(200):
        decision = decided(TABLE, "/planner", f"x-session-id: {session}")
        owner = decision.route.split.owner(bucket(b"%d" % session, decision.route.seed))
        assert decision.lane is owner
        assert (decision.color, decision.color_source) == (b"", "none")
        taken.add(owner.name)
    assert taken == {"next", "stable"}


def test_a_lane_paints_what_lands_on_it_without_colour() -> None:
    seen = {}
    for session in range(50):
        decision = decided(TABLE, "/painted", f"x-session-id: {session}")
        seen[decision.lane.name] = (decision.color, decision.color_source)
    assert seen == {"stable": (b"", "none"), "next": (b"canary", "lane")}


def test_a_painted_session_stays_where_it_is_when_the_colour_comes_back() -> None:
    """The same route met again later in the chain, with the colour on the request."""
    for session in range(50):
        first = decided(TABLE, "/painted", f"x-session-id: {session}")
        colored = [f"x-traffic-color: {first.color.decode()}"] if first.color else []
        assert decided(TABLE, "/painted", f"x-session-id: {session}", *colored).lane is first.lane


def test_a_lane_does_not_paint_over_a_colour() -> None:
    decision = decided(TABLE, "/", "x-traffic-color: blue")
    assert (decision.lane.name, decision.color, decision.color_source) == ("only", b"blue", "inbound")
    assert decided(TABLE, "/").color == b"lone"


def test_two_routes_split_independently() -> None:
    """A session that is on the canary of one route is not therefore on that of the next."""
    config = "version: 1\nroutes:\n" + "".join(
        f"  - {{name: {name}, match: {{path: /{name}}}, lanes: [{{name: a, pool: p}}, {{name: b, pool: p}}]}}\n"
        for name in ("one", "two")
    )
    table = table_of(config + "pools: {p: {endpoints: [http://127.0.0.1:7001]}}\n")
    pairs = [
        tuple(decided(table, path, f"x-session-id: {session}").lane.name for path in ("/one", "/two")) for session in range(400)
    ]
    assert {pair: pairs.count(pair) / 400 for pair in set(pairs)} == pytest.approx(
        dict.fromkeys((("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")), 0.25), abs=0.1
    )

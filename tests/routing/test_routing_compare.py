"""Two configs held against each other: what is told is what the hot path would do, and what cannot be known is said."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_cases import record
from routing_cases import TRACE_ID, decided, table_of

from tracer_proxy.routing.bucket import BUCKETS, bucket, seed
from tracer_proxy.routing.compare import Comparison, Kind, shares
from tracer_proxy.routing.past import Line
from tracer_proxy.routing.table import Table
from tracer_proxy.telemetry.exchange_log import line_of

RULES = (
    '{color: canary, when: {header: {x-canary: "1"}}}',
    "{color: blue, when: {header: {x-tenant: {prefix: b}}, path: /agents/deep}}",
    "{color: blue, when: {any: [{query: {mode: blue}}, {cookie: {mode: blue}}]}}",
    "{color: canary, when: {not: {header: {x-old: {present: true}}}, agent: {prefix: svc-}}}",
    "{color: canary, when: {percent: 30}}",
    "{color: blue, when: {percent: 20, header: {x-canary: {present: true}}}}",
    "{color: green, when: {percent: 30}}",
    "{color: blue, when: {client: [10.0.0.0/8]}}",
)
LADDERS = (
    "[header:x-session-id, harness, cookie:sid]",
    "[cookie:sid, header:x-session-id]",
    "[query:sid, header:x-session-id]",
)


def config(weights: tuple[int, ...] = (80, 20), rules: tuple[str, ...] = (), ladder: str = LADDERS[0], **changes: str) -> Table:
    lanes = ", ".join(
        f"{{name: {name}, pool: {changes.get(name, name)}, weight: {weight}{more}}}"
        for name, weight, more in zip(
            ("stable", "canary", "third"), weights, ("", ", colors: [canary], color: canary", ", colors: [blue]"), strict=False
        )
    )
    return table_of(f"""
version: 1
coloring: [{", ".join(rules)}]
routes:
  - {{name: beta, match: {{path: /agents, header: {{x-beta: "1"}}}}, lanes: [{{name: only, pool: other}}]}}
  - {{name: planner, match: {{path: /agents}}, sticky: {ladder}, lanes: [{lanes}]}}
pools:
  stable: {{endpoints: [http://h:1]}}
  canary: {{endpoints: [http://h:2]}}
  third: {{endpoints: [http://h:3]}}
  other: {{endpoints: [http://h:4]}}
""")


def line(by: Table, target: str, *headers: str) -> Line:
    """What the log would say of this request."""
    decision = decided(by, target, *headers)
    path, _, query = target.partition("?")
    agent = next((header.partition(": ")[2] for header in headers if header.startswith("x-agent-id")), "")
    key = decision.session_key.decode()
    return line_of(
        record(
            path=path,
            query=query,
            client="",
            agent=agent,
            route=decision.route.name,
            lane=decision.lane.name,
            lane_intended=decision.color.decode() if decision.fell_back else decision.lane.name,
            color=decision.color.decode(),
            color_source=decision.color_source,
            session="" if decision.hangs_on_trace else key,
            session_source=decision.session_source,
            trace_id=TRACE_ID,
        )
    )


def compared(before: Table, after: Table, *lines: Line) -> Comparison:
    found = Comparison(before, after)
    for each in lines:
        found.take(each)
    return found


HEADERS = st.lists(
    st.sampled_from(
        [
            "x-canary: 1",
            "x-canary: 2",
            "x-tenant: blue",
            "x-old: 1",
            "x-beta: 1",
            "cookie: mode=blue",
            "cookie: sid=carol",
            "x-agent-id: svc-pay",
            "x-traffic-color: canary",
            "x-traffic-color: pink",
            "x-claude-code-session-id: dora",
        ]
    ),
    max_size=4,
    unique_by=lambda header: header.partition(":")[0],
)
TARGETS = st.sampled_from(["/agents", "/agents/deep/x", "/agents?mode=blue", "/agents?sid=erin"])
SOME_RULES = st.lists(st.sampled_from(RULES), max_size=4, unique=True).map(tuple)
WEIGHTS = st.tuples(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50))


@given(
    WEIGHTS, WEIGHTS, SOME_RULES, SOME_RULES, st.sampled_from(LADDERS), st.sampled_from(LADDERS), TARGETS, HEADERS, st.data()
)
@settings(deadline=None, max_examples=300)
def test_what_is_told_is_what_would_happen(
    old: Any, new: Any, rules: Any, others: Any, ladder: str, other: str, target: str, headers: list[str], data: st.DataObject
) -> None:
    """Of a request that is known as a whole, the log's line tells nothing that is not so."""
    before, after = config(old, rules, ladder), config(new, others, other)
    if key := data.draw(st.sampled_from(["", *map(str, range(50))])):
        headers = [*headers, f"x-session-id: {key}"]
    found = compared(before, after, line(before, target, *headers))
    (told,) = found.sessions.values()
    assert found.elsewhere == 0
    if told.kind is not Kind.UNTOLD:
        then, now = decided(before, target, *headers), decided(after, target, *headers)
        assert (told.before.route, told.before.lane) == (then.route.name, then.lane.name)
        assert (told.after.route, told.after.lane) == (now.route.name, now.lane.name)
        assert told.after.color == now.color.decode()


@given(WEIGHTS, SOME_RULES, st.sampled_from(LADDERS), TARGETS, HEADERS)
@settings(deadline=None, max_examples=200)
def test_the_same_config_moves_nobody_and_leaves_nothing_untold(
    weights: Any, rules: Any, ladder: str, target: str, headers: list[str]
) -> None:
    before, after = config(weights, rules, ladder), config(weights, rules, ladder)
    assert shares(before, after).is_empty
    found = compared(before, after, line(before, target, *headers))
    assert [told.kind for told in found.sessions.values()] == [Kind.SAME]


@given(st.integers(0, 100), st.integers(0, 100))
@settings(deadline=None)
def test_a_raised_canary_takes_from_stable_only_and_just_its_buckets(low: int, high: int) -> None:
    low, high = sorted((low, high))
    moves = shares(config((100 - low, low)), config((100 - high, high))).moves
    told = [(move.before, move.after, move.percent) for move in moves]
    assert told == ([("stable", "canary", high - low)] if high > low else [])


@given(WEIGHTS, WEIGHTS)
@settings(deadline=None, max_examples=20)
def test_keys_move_as_their_buckets_do(old: Any, new: Any) -> None:
    before, after = config(old), config(new)
    found = Comparison(before, after)
    for number in range(300):
        found.take_key(f"k{number}")
    owners = [table.routes[1].split.owner for table in (before, after)]
    for (_, key), told in found.sessions.items():
        drawn = bucket(key.encode(), seed("planner"))
        assert (told.before.lane, told.after.lane) == tuple(owner(drawn).name for owner in owners)
    moving = sum(share.buckets for share in shares(before, after).moves)
    assert (moving == 0) <= found.is_same
    assert 0 <= moving <= BUCKETS


def told_of(before: Table, after: Table, target: str, *headers: str) -> tuple[Kind, str]:
    (told,) = compared(before, after, line(before, target, *headers)).sessions.values()
    return told.kind, told.reason


def test_a_rule_that_asks_for_what_is_not_recorded_is_named() -> None:
    new = config(rules=('{color: canary, when: {header: {x-new: "1"}, path: /agents/deep}}',))
    kind, reason = told_of(config(), new, "/agents/deep", "x-session-id: alice")
    assert kind is Kind.UNTOLD
    assert reason == ("the header x-new is not recorded: rule 1 (canary when header x-new = '1' and path under '/agents/deep')")


def test_what_another_part_of_a_rule_decides_is_told_all_the_same() -> None:
    new = config(rules=('{color: canary, when: {header: {x-new: "1"}, path: /agents/deep}}',))
    assert told_of(config(), new, "/agents", "x-session-id: alice")[0] is Kind.SAME


def test_a_rule_that_coloured_it_held_so_its_parts_are_known_elsewhere() -> None:
    old = config(rules=("{color: canary, when: {header: {x-tenant: blue}, path: /agents}}",))
    new = config(rules=("{color: canary, when: {header: {x-tenant: blue}}}",))
    assert told_of(old, new, "/agents", "x-session-id: alice", "x-tenant: blue")[0] is Kind.SAME
    # Nor does it hold in the one where it did not, for the path did.
    assert told_of(old, new, "/agents", "x-session-id: alice")[0] is Kind.SAME


def test_a_rule_that_is_gone_moves_what_it_coloured() -> None:
    old = config((100, 0), rules=RULES[:1])
    kind, _ = told_of(old, config((100, 0)), "/agents", "x-session-id: alice", "x-canary: 1")
    assert kind is Kind.MOVES


def test_a_colour_that_changes_alone_and_a_pool_that_does() -> None:
    old = config((100, 0, 0), rules=("{color: pink, when: {path: /agents}}",))
    new = config((100, 0, 0), rules=("{color: red, when: {path: /agents}}",))
    assert told_of(old, new, "/agents", "x-session-id: a")[0] is Kind.COLOR
    assert told_of(config((100, 0)), config((100, 0), stable="third"), "/agents", "x-session-id: a")[0] is Kind.POOL
    assert shares(config(), config(stable="third")).pools == [
        ("planner", "stable", "stable (http://h:1)", "third (http://h:3)")
    ]


def test_a_route_that_is_told_by_a_header_is_known_from_the_record() -> None:
    assert told_of(config(), config((1, 99)), "/agents", "x-beta: 1", "x-session-id: a")[0] is Kind.SAME


def test_a_session_of_a_drained_lane_stays() -> None:
    drained = config((100, 0))
    lanes = drained.routes[1].split
    lanes.lanes[1].drain_s = 60.0
    lanes.draining = (lanes.lanes[1],)
    for name in map(str, range(40)):
        assert told_of(config((20, 80)), drained, "/agents", f"x-session-id: {name}")[0] in (Kind.SAME, Kind.COLOR)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tracer_proxy.session.source": ""}, "it was refused before a lane was chosen"),
        ({"url.path": "/" + "x" * 1022 + "…"}, "its path is not recorded as a whole"),
        ({"session.id": "a\ufffd"}, "its session key is not recorded as it was"),
        ({"session.id": None}, "its session key is not recorded as it was"),
        ({"time": "yesterday"}, "its time is not recorded"),
        ({"tracer_proxy.route": "gone"}, "its route gone is not in the config before"),
    ],
)
def test_what_cannot_be_decided_again_is_counted_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    found = compared(config(), config(), {**line(config(), "/agents", "x-session-id: a"), **changes})
    assert (dict(found.unusable), found.sessions) == ({reason: 1}, {})


def test_copies_are_left_out() -> None:
    found = compared(config(), config(), {**line(config(), "/agents", "x-session-id: a"), "tracer_proxy.shadow": True})
    assert (found.exchanges, found.sessions) == (0, {})


def test_a_masked_query_is_not_looked_into() -> None:
    new = config(rules=("{color: canary, when: {query: {api_key: x}}}",))
    kind, reason = told_of(config(), new, "/agents?api_key=x", "x-session-id: a")
    assert (kind, reason.partition(":")[0]) == (Kind.UNTOLD, "its query is masked")


def test_exchanges_that_went_elsewhere_are_counted() -> None:
    assert compared(config((100, 0)), config(), line(config((1, 99)), "/agents", "x-session-id: a")).elsewhere == 1


def test_of_several_exchanges_of_a_session_the_greatest_change_counts() -> None:
    old, new = config((100, 0)), config((100, 0), rules=("{color: canary, when: {path: /agents/deep}}",))
    lines = [line(old, target, "x-session-id: a") for target in ("/agents", "/agents/deep", "/agents")]
    found = compared(old, new, *lines)
    assert [(key, told.kind) for key, told in found.sessions.items()] == [(("planner", "a"), Kind.MOVES)]


def test_what_changes_beside_weights_is_named() -> None:
    found = shares(config(rules=RULES[:2]), config(rules=(RULES[1], RULES[0]), ladder=LADDERS[1]))
    assert (found.moves, found.routes, found.rules) == ([], [("planner", "ladder")], True)
    found = shares(config((80, 10, 10)), config((80, 10)))
    assert ("planner", "blue", "third", "stable") in found.colors


def test_a_share_that_held_says_nothing_of_another_rule_s_share() -> None:
    """They draw different sessions, though they read the same."""
    old, new = config(rules=RULES[4:5]), config(rules=RULES[6:7])
    for name in map(str, range(40)):
        (told,) = compared(old, new, line(old, "/agents", f"x-session-id: {name}")).sessions.values()
        assert told.after.color == decided(new, "/agents", f"x-session-id: {name}").color.decode()

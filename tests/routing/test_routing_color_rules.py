"""Colour rules: which traffic gets which colour, in order."""

import itertools

import pytest
from routing_cases import decided, head_for, table_of

from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.condition import Condition, percent
from tracer_proxy.routing.table import Table


def coloring(*rules: str) -> Table:
    return table_of(
        "version: 1\n"
        f"coloring: [{', '.join(rules)}]\n"
        "routes: [{name: all, sticky: [header:x-session-id], lanes: [{name: only, pool: only}]}]\n"
        "pools: {only: {endpoints: [http://127.0.0.1:7001]}}\n"
    )


def color(by: Table, target: str = "/", *headers: str) -> str:
    return decided(by, target, *headers).color.decode()


@pytest.mark.parametrize(
    ("when", "colored", "plain"),
    [
        ('header: {X-Canary: "1"}', [("/", "x-canary: 1"), ("/", "X-CANARY:1")], [("/",), ("/", "x-canary: 11")]),
        ("header: {x-canary: {present: false}}", [("/",)], [("/", "x-canary:")]),
        ("cookie: {beta: {prefix: y}}", [("/", "cookie: a=b; beta=yes")], [("/", "cookie: beta=no"), ("/",)]),
        ("query: {v: {regex: '[2-9]'}}", [("/?v=2",), ("/?a&v=%32",)], [("/?v=1",), ("/?v=22",), ("/v=2",)]),
        ("path: /agents", [("/agents",), ("/agents/x",)], [("/agentsmith",), ("/x/agents",)]),
        ("path: {exact: /agents}", [("/agents?x",)], [("/agents/",)]),
        ("agent: {prefix: svc-pay-}", [("/", "X-Agent-Id: svc-pay-eu")], [("/", "x-agent-id: svc-pays"), ("/",)]),
        ("percent: 100", [("/",), ("/", "x-session-id: any")], []),
        ("percent: 0", [], [("/",), ("/", "x-session-id: any")]),
    ],
)
def test_conditions(when: str, colored: list[tuple[str, ...]], plain: list[tuple[str, ...]]) -> None:
    by = coloring(f"{{color: blue, when: {{{when}}}}}")
    assert [request for request in colored if color(by, *request) != "blue"] == []
    assert [request for request in plain if color(by, *request) != ""] == []


def test_all_conditions_of_a_rule_must_hold() -> None:
    by = coloring('{color: blue, when: {header: {a: "1", b: "2"}, path: /x}}')
    assert color(by, "/x", "a: 1", "b: 2") == "blue"
    assert [color(by, "/y", "a: 1", "b: 2"), color(by, "/x", "a: 1"), color(by, "/x", "b: 2")] == [""] * 3


def test_the_first_rule_that_holds_wins_and_is_named() -> None:
    by = coloring(
        '{color: a, when: {header: {a: "1"}}}', '{color: b, when: {header: {b: "1"}}}', "{color: c, when: {path: /c}}"
    )
    decision = decided(by, "/c", "b: 1")
    assert (decision.color, decision.color_source) == (b"b", "rule 2")
    assert color(by, "/c", "b: 1", "a: 1") == "a"


def test_a_colour_that_came_along_goes_before_every_rule() -> None:
    by = coloring("{color: blue, when: {percent: 100}}")
    decision = decided(by, "/", "x-traffic-color: green")
    assert (decision.color, decision.color_source) == (b"green", "inbound")


def test_percent_takes_its_share_and_growing_it_only_adds_sessions() -> None:
    keys = [b"session-%d" % number for number in range(20_000)]
    nobody = Asking(head_for(coloring()))
    taken = {share: {key for key in keys if percent(share, "blue").holds(nobody, key)} for share in (0, 0.5, 5, 20, 60, 100)}
    for share, chosen in taken.items():
        assert len(chosen) / 200 == pytest.approx(share, abs=1)
    ordered = list(taken.values())
    assert all(less <= more for less, more in itertools.pairwise(ordered))
    assert (len(ordered[0]), len(ordered[-1])) == (0, 20_000)


def test_two_colours_draw_independently() -> None:
    nobody = Asking(head_for(coloring()))
    blue, green = percent(50, "blue"), percent(50, "green")
    keys = [b"session-%d" % number for number in range(20_000)]
    both = sum(blue.holds(nobody, key) and green.holds(nobody, key) for key in keys)
    assert both / 200 == pytest.approx(25, abs=2)


CLIENT = "10.1.2.3"


def condition(when: str) -> Condition:
    return coloring(f"{{color: blue, when: {{{when}}}}}").color_rules[0].condition


def asking(*headers: str, peer: str = CLIENT, certificate: tuple[str, ...] = (), now: float = 0.0) -> Asking:
    every = coloring("{color: blue, when: {header: {a: '1', b: '1', c: '1'}}}")
    asked = Asking(head_for(every, "/", *headers), peer=peer.encode(), certificate=certificate)
    asked.now = now
    return asked


@pytest.mark.parametrize(
    ("when", "holding"),
    [
        ("all: [{header: {a: '1'}}, {header: {b: '1'}}]", ["ab", "abc"]),
        ("any: [{header: {a: '1'}}, {header: {b: '1'}}]", ["a", "ab", "abc", "ac", "b", "bc"]),
        ("not: {header: {a: '1'}}", ["", "b", "bc", "c"]),
        ("header: {a: '1'}, not: {any: [{header: {b: '1'}}, {header: {c: '1'}}]}", ["a"]),
        ("any: [{header: {a: '1', b: '1'}}, {not: {header: {c: '1'}}}]", ["", "a", "ab", "abc", "b"]),
        ("not: {not: {header: {c: '1'}}}", ["abc", "ac", "bc", "c"]),
    ],
)
def test_conditions_can_be_put_together(when: str, holding: list[str]) -> None:
    by = condition(when)
    given = ["".join(names) for count in range(4) for names in itertools.combinations("abc", count)]
    assert sorted(names for names in given if by.holds(asking(*(f"{name}: 1" for name in names)), b"s")) == holding


@pytest.mark.parametrize(
    ("when", "peer", "holds"),
    [
        ("client: 10.0.0.0/8", CLIENT, True),
        ("client: [192.168.0.0/16, private]", CLIENT, True),
        ("client: loopback", CLIENT, False),
        ("client: 10.0.0.0/8", "", False),
    ],
)
def test_where_the_caller_is(when: str, peer: str, holds: bool) -> None:
    assert condition(when).holds(asking(peer=peer), b"s") is holds


def test_a_name_in_the_callers_certificate() -> None:
    by, nobody = condition("certificate: {prefix: 'spiffe://prod/'}"), condition("certificate: {present: false}")
    assert by.holds(asking(certificate=("planner", "spiffe://prod/planner")), b"s")
    assert not by.holds(asking(certificate=("planner", "spiffe://dev/planner")), b"s")
    assert [by.holds(asking(), b"s"), nobody.holds(asking(), b"s")] == [False, True]
    assert not nobody.holds(asking(certificate=("planner",)), b"s")


def drawn(by: Condition) -> set[int]:
    head = asking("a: 1", "b: 1")
    return {number for number in range(10_000) if by.holds(head, b"session-%d" % number)}


def test_rules_draw_independently_and_one_experiment_draws_the_same() -> None:
    a, b = drawn(condition("percent: 30, header: {a: '1'}")), drawn(condition("percent: 30, header: {b: '1'}"))
    assert len(a & b) / 100 == pytest.approx(9, abs=1.5)
    shared = [
        drawn(condition(f"percent: {share}, experiment: prices, header: {{{name}: '1'}}"))
        for name, share in (("a", 30), ("b", 30), ("b", 60))
    ]
    assert shared[0] == shared[1] < shared[2]
    assert len(shared[0] & drawn(condition("percent: 30, experiment: other"))) / 100 == pytest.approx(9, abs=1.5)


def test_rules_that_put_the_same_conditions_together_otherwise_draw_independently() -> None:
    rules = (
        "percent: 30, any: [{path: /x}, {path: /}]",
        "percent: 30, all: [{path: /}, {path: /}]",
        "percent: 30, not: {path: /x}",
        "percent: 30, not: {not: {path: /}}",
        "percent: 30, path: /",
    )
    for (one, a), (other, b) in itertools.combinations([(rule, drawn(condition(rule))) for rule in rules], 2):
        assert len(a & b) / 100 == pytest.approx(9, abs=1.5), (one, other)


def test_a_share_within_keeps_its_sessions_when_it_grows() -> None:
    less, more = (drawn(condition(f"any: [{{path: /x}}, {{path: /, percent: {share}}}]")) for share in (10, 20))
    assert less < more


def test_a_rule_with_plain_conditions_keeps_the_sessions_that_it_has_had() -> None:
    for rule, salt in (("percent: 30", "color/blue"), ("path: /, percent: 30", "color/blue and path under '/'")):
        assert drawn(condition(rule)) == drawn(percent(30, salt))


def test_a_share_keeps_its_sessions_when_it_grows_and_rules_change_places() -> None:
    first, second = "{color: blue, when: {percent: 20, agent: {prefix: svc-}}}", "{color: green, when: {percent: 20}}"
    one, other = coloring(first, second), coloring(second, first)
    head = Asking(head_for(one, "/", "x-agent-id: svc-auth-1"))
    keys = [b"%d" % number for number in range(5000)]
    assert [one.color_rules[0].holds(head, key) for key in keys] == [other.color_rules[1].holds(head, key) for key in keys]


def test_thirty_percent_of_a_family_of_agents() -> None:
    """The gray-release table: 30 % of svc-auth-*."""
    by = coloring("{color: canary, when: {agent: {prefix: svc-auth-}, percent: 30}}")
    colored = [color(by, "/", f"x-agent-id: svc-auth-{n % 7}", f"x-session-id: s{n}") == "canary" for n in range(4000)]
    assert sum(colored) / 40 == pytest.approx(30, abs=2.5)
    assert {color(by, "/", "x-agent-id: svc-pay-1", f"x-session-id: s{n}") for n in range(500)} == {""}

"""Colour rules: which traffic gets which colour, in order."""

import itertools

import pytest
from routing_cases import decided, head_for, table_of

from tracer_proxy.routing.color import percent
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
    nobody = head_for(coloring())
    taken = {share: {key for key in keys if percent(share, "blue").holds(nobody, key)} for share in (0, 0.5, 5, 20, 60, 100)}
    for share, chosen in taken.items():
        assert len(chosen) / 200 == pytest.approx(share, abs=1)
    ordered = list(taken.values())
    assert all(less <= more for less, more in itertools.pairwise(ordered))
    assert (len(ordered[0]), len(ordered[-1])) == (0, 20_000)


def test_two_colours_draw_independently() -> None:
    nobody = head_for(coloring())
    blue, green = percent(50, "blue"), percent(50, "green")
    keys = [b"session-%d" % number for number in range(20_000)]
    both = sum(blue.holds(nobody, key) and green.holds(nobody, key) for key in keys)
    assert both / 200 == pytest.approx(25, abs=2)

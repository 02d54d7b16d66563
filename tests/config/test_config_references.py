"""What must hold between keys."""

import pytest

from tracer_proxy.config.load import load_text
from tracer_proxy.errors import ConfigError

ONE_LANE = "{name: a, pool: p}"
ONE_POOL = "p: {endpoints: [http://h]}"


def told(*, route: str = "", lanes: str = ONE_LANE, rest: str = "", pools: str = ONE_POOL) -> list[str]:
    """The problems of a file with one route in lines 2 to 4; the lanes are in line 3 from column 13 on."""
    text = f"version: 1\nroutes: [{{name: r,\n    lanes: [{lanes}],\n    {route}}}]\npools: {{{pools}}}\n{rest}\n"
    try:
        load_text(text, "f.yaml", {})
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_nothing_to_complain_about() -> None:
    """What the cases below differ from, and an unused pool."""
    assert told() == []
    assert told(pools="p: {endpoints: [http://h]}, unused: {endpoints: [http://h]}") == []


def test_pool_that_is_not_there() -> None:
    """With the nearest one, or all there are."""
    assert told(lanes="{name: a, pool: planer}", pools="planner: {endpoints: [http://h]}") == [
        "f.yaml:3:29: routes[0].lanes[0].pool: found 'planer': there is no such pool; did you mean 'planner'?"
    ]
    assert told(lanes="{name: a, pool: zzz}")[0].endswith("there is no such pool; pools: p")


def test_names_are_unique() -> None:
    """Lanes in a route, routes in the file, endpoints in a pool."""
    assert told(lanes="{name: a, pool: p}, {name: a, pool: p}") == [
        "f.yaml:3:40: routes[0].lanes[1].name: found 'a': routes[0].lanes[0].name is the same; each must be different"
    ]
    assert told(route="}, {name: r, lanes: [{name: a, pool: p}]") == [
        "f.yaml:4:15: routes[1].name: found 'r': routes[0].name is the same; each must be different"
    ]
    assert told(pools="p: {endpoints: [http://h, http://H:80]}")[0].startswith("f.yaml:5:35: pools.p.endpoints[1]: ")


def test_pool_name() -> None:
    """At the key."""
    assert told(lanes="{name: a, pool: p}", pools="p: {endpoints: [http://h]}, -q: {endpoints: [http://h]}")[0].startswith(
        "f.yaml:5:41: pools.-q: expected a name of up to 64 letters"
    )


def test_mirror_lane_is_another_of_the_route() -> None:
    """At the name, with the nearest one."""
    two = "{name: a, pool: p}, {name: shadow, pool: p, weight: 0}"
    assert told(lanes=two, route="mirror: {lane: shadow, percent: 10, compare: true}") == []
    assert told(lanes=two, route="mirror: {lane: shadw}") == [
        "f.yaml:4:20: routes[0].mirror.lane: found 'shadw': this route has no such lane; did you mean 'shadow'?"
    ]
    (line,) = told(route="mirror: {lane: a}")
    assert line.startswith("f.yaml:4:20: routes[0].mirror.lane: found 'a': the only lane has no other to copy from")


def test_color_is_served_by_one_lane() -> None:
    """Twice in a route is once too often, within a lane as well."""
    lanes = "{name: a, pool: p}, {name: b, pool: p, colors: [x]}, {name: c, pool: p, colors: [y, x]}"
    assert told(lanes=lanes) == [
        "f.yaml:3:97: routes[0].lanes[2].colors[1]: found 'x': the lane 'b' serves this colour already; keep one"
    ]
    assert "the lane 'b' serves this colour already" in told(lanes="{name: b, pool: p, weight: 1, colors: [x, x]}")[0]


def test_painted_color_is_not_served_elsewhere() -> None:
    """A session painted here would be sent there by its next request."""
    good = "{name: a, pool: p}, {name: b, pool: p, weight: 1, colors: [x], color: x}"
    assert told(lanes=good) == []
    (line,) = told(lanes="{name: a, pool: p, color: x}, {name: b, pool: p, colors: [x]}")
    assert line.startswith("f.yaml:3:39: routes[0].lanes[0].color: found 'x': painted here, but served by the lane 'b'")


def test_one_baseline() -> None:
    """The second mark is the mistake."""
    assert told(lanes="{name: a, pool: p, baseline: true}, {name: b, pool: p, baseline: true}") == [
        "f.yaml:3:78: routes[0].lanes[1].baseline: found true: the lane 'a' is the baseline already; keep one"
    ]


def test_some_lane_has_a_weight() -> None:
    """Or nobody serves sessions without colour; a lane that lists colours has none by itself."""
    (line,) = told(lanes="{name: a, pool: p, weight: 0}")
    assert line.startswith("f.yaml:3:12: routes[0].lanes: no lane has a weight above 0")
    (line,) = told(lanes="{name: a, pool: p, colors: [x]}")
    assert line.endswith("(a lane that lists colors has weight 0 unless told otherwise)")
    assert told(lanes="{name: a, pool: p, colors: [x], weight: 1}") == []


def test_local_mode_needs_the_mock() -> None:
    """And finds it when it is there, with defaults or without."""
    route = "llm: {api: openai, mode: local}"
    assert told(route=route) == [
        "f.yaml:4:30: routes[0].llm.mode: found 'local': it needs the bundled mock, and there is none; add mocks: {llm: {}}"
    ]
    assert told(route=route, rest="mocks: {llm: {}}") == []
    assert told(route="llm: {api: openai}") == []


def test_local_mode_does_not_follow_from_a_broken_mock() -> None:
    """One mistake, one problem."""
    (line,) = told(route="llm: {api: openai, mode: local}", rest="mocks: {llm: 5}")
    assert line.startswith("f.yaml:6:14: mocks.llm: found a number")


def test_rewrite_needs_a_prefix_to_replace() -> None:
    """An exact path or a pattern has none."""
    for match in ("", "match: {exact: /a}, ", "match: {regex: /a}, "):
        (line,) = told(route=match + "rewrite: {prefix: /}")
        assert "routes[0].rewrite: rewrite changes the prefix that match.path took" in line
    assert told(route="match: {path: /a}, rewrite: {prefix: /}") == []


def test_path_is_matched_in_one_way() -> None:
    """The second way is the mistake."""
    assert told(route="match: {exact: /a, path: /a}") == [
        "f.yaml:4:20: routes[0].match.exact: the path is matched by 'path' already; keep one of path, exact, regex"
    ]


@pytest.mark.parametrize("when", ["{}", "{header: {}}", "{cookie: {}, query: {}}"])
def test_rule_has_a_condition(when: str) -> None:
    """A rule without one would colour everything by accident."""
    (line,) = told(rest=f"coloring: [{{color: c, when: {when}}}]")
    assert line.startswith("f.yaml:6:29: coloring[0].when: found no condition: expected at least one of header, cookie")


def test_percent_zero_is_a_condition() -> None:
    """It switches a rule off without deleting it."""
    assert told(rest="coloring: [{color: c, when: {percent: 0}}]") == []


def test_listeners_do_not_share_an_address() -> None:
    """Except for port 0, which is another port each time."""
    assert told(rest="proxy: {listen: ['h:1', 'H:1']}")[0].startswith(
        "f.yaml:6:25: proxy.listen[1]: found 'H:1': proxy.listen[0]"
    )
    assert told(rest="admin: {listen: 127.0.0.1:8080}")[0].startswith("f.yaml:6:17: admin.listen: found '127.0.0.1:8080'")
    assert told(rest="admin: {listen: 127.0.0.1:1}\nmocks: {llm: {listen: 127.0.0.1:1}}")[0].startswith(
        "f.yaml:7:23: mocks.llm.listen: found '127.0.0.1:1': admin.listen listens there already"
    )
    assert told(rest="proxy: {listen: ['h:0', 'h:0']}") == []


@pytest.mark.parametrize("api", ["openai", "anthropic", "gemini"])
def test_local_mode_is_for_every_api(api: str) -> None:
    """The bundled mock speaks them all."""
    assert told(route=f"llm: {{api: {api}, mode: local}}", rest="mocks: {llm: {}}") == []


def test_a_proxy_that_would_call_itself_is_refused() -> None:
    """One request would go round until its head is too large."""
    (line,) = told(pools="p: {endpoints: [http://127.0.0.1:8080]}")
    assert "pools.p.endpoints[0]: found 'http://127.0.0.1:8080': that is this proxy itself (proxy.listen[0])" in line


def test_pools_that_stand_in() -> None:
    """They exist, each once, and none is the pool itself; two may stand in for each other."""
    other = "q: {endpoints: [http://i], failover: [p]}"
    assert told(pools=f"p: {{endpoints: [http://h], failover: q}}, {other}") == []
    assert told(pools=f"p: {{endpoints: [http://h], failover: [zzz]}}, {other}") == [
        "f.yaml:5:47: pools.p.failover[0]: found 'zzz': there is no such pool; pools: p, q"
    ]
    assert told(pools=f"p: {{endpoints: [http://h], failover: [p]}}, {other}") == [
        "f.yaml:5:47: pools.p.failover[0]: found 'p': that is this pool itself; name another one"
    ]
    assert "pools.p.failover[0] is the same" in told(pools=f"p: {{endpoints: [http://h], failover: [q, q]}}, {other}")[0]


def test_retries_make_sense_together() -> None:
    """A limit on a try is for another to follow, and pauses fit their longest."""
    assert told(route="retries: {on: [connect, timeout, 503, 5xx], per_try: 5s}") == []
    assert told(route="retries: {per_try: 5s}") == [
        "f.yaml:4:24: routes[0].retries.per_try: a try that takes longer would not be followed by another; add timeout to on"
    ]
    assert told(route="retries: {backoff: 3s}") == [
        "f.yaml:4:24: routes[0].retries.backoff: found 3s: longer than backoff_max; make it shorter, or that one longer"
    ]
    assert told(route="retries: {on: [503, 404]}")[0].endswith("500, 502, 503 or 504; did you mean '504'?")


def test_the_name_of_the_mocks_pool_is_taken() -> None:
    (problem,) = told(lanes="{name: a, pool: mock-llm}", pools="mock-llm: {endpoints: [http://h]}")
    assert "the bundled mock LLM is shown under this name" in problem

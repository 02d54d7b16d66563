"""A good file becomes a ``Config`` with the defaults of ``limits``; a bad one tells all its problems in one go."""

from pathlib import Path

import pytest

from tracer_proxy import limits
from tracer_proxy.config.addresses import Endpoint
from tracer_proxy.config.load import load, load_text, read_text
from tracer_proxy.config.matchers import Matcher, Sticky
from tracer_proxy.config.routes import DEFAULT_STICKY
from tracer_proxy.errors import ConfigError

MINIMAL = """\
version: 1
routes: [{name: all, lanes: [{name: only, pool: p}]}]
pools: {p: {endpoints: [http://h]}}
"""

FULL = """\
version: 1
proxy:
  listen: [127.0.0.1:8080, "[::1]:8080", unix:/run/p.sock]
  timeouts: {head: 500ms, keep_alive: 2m}
  limits: {head: 32KiB, headers: "100", connections: 10}
  drain: 0
admin: {listen: localhost:8081}
tracing: {sample: 0.25, inject: [b3, b3multi]}
trust: [loopback, 10.0.0.0/8, fd00::/8, 192.0.2.7]
coloring:
  - color: canary
    when:
      header: {X-Canary: "1", x-b: {present: false}}
      cookie: {Beta: {prefix: y}}
      query: {v: {regex: "[0-9]+"}}
      path: /a
      agent: {exact: svc}
      percent: 2.5
routes:
  - name: r1
    match: {path: /a, host: "*.Example.com", method: GET, header: {X-A: {present: true}}}
    sticky: [header:X-User, query:u, cookie:C, baggage:user.id, trace]
    rewrite: {prefix: /}
    llm: {api: openai, mode: local}
    egress: trace
    timeouts: {connect: 1.5, first_byte: 1h, idle: 30s, tunnel: 1d}
    limits: {request_body: unlimited}
    lanes:
      - {name: stable, pool: p, baseline: "true"}
      - {name: canary, pool: q, colors: [canary, blue], weight: 0.5, color: canary}
      - {name: dark, pool: q, colors: [dark]}
  - {name: r2, match: {exact: /x}, lanes: [{name: a, pool: p, weight: 2}]}
  - {name: r3, match: {regex: "/y.*", method: [PUT, POST]}, limits: {request_body: 10KB}, lanes: [{name: a, pool: p}]}
pools:
  p: {endpoints: [http://Host.Example, "https://[2001:db8:0::1]:8443/", unix:/run/a.sock], balance: random, idle: 1m}
  q: {endpoints: [http://h:81], headers: {X-Key: "a b"}, host: client}
mocks: {llm: {listen: 127.0.0.1:0, token_interval: 20ms}}
"""


def test_defaults_are_those_of_the_limits() -> None:
    """What a minimal file leaves out."""
    config = load_text(MINIMAL, "f.yaml", {})
    assert config.proxy.listen == ("127.0.0.1:8080",)
    assert config.proxy.workers == 1
    assert (config.proxy.timeouts.head, config.proxy.timeouts.keep_alive) == (limits.HEAD_S, limits.CLIENT_IDLE_S)
    assert config.proxy.limits.head == limits.HEAD_BYTES_MAX
    assert config.proxy.limits.headers == limits.HEAD_FIELDS_MAX
    assert config.proxy.limits.connections == limits.CLIENT_CONNECTIONS_MAX
    assert config.proxy.drain == limits.DRAIN_S
    assert config.admin is None
    assert (config.tracing.exporter, config.tracing.sample) == ("none", 1.0)
    assert config.tracing.inject == ("tracecontext", "baggage")
    assert config.trust == ("loopback", "private")
    assert config.coloring == ()
    assert config.mocks.llm is None
    pool = config.pools["p"]
    assert (pool.balance, pool.headers, pool.host, pool.idle) == (
        "least_pending",
        {},
        "endpoint",
        limits.UPSTREAM_IDLE_S,
    )


def test_defaults_of_a_route_and_its_lane() -> None:
    """A route of name and lanes only: takes everything, and has the timeouts of an LLM call."""
    (route,) = load_text(MINIMAL, "f.yaml", {}).routes
    assert route.match.model_dump() == {
        "path": None,
        "exact": None,
        "regex": None,
        "host": None,
        "method": (),
        "header": {},
    }
    assert route.sticky == DEFAULT_STICKY
    assert (route.rewrite, route.llm, route.egress) == (None, None, None)
    assert route.timeouts.connect == limits.CONNECT_S
    assert route.timeouts.first_byte == limits.FIRST_BYTE_S
    assert route.timeouts.idle == limits.BODY_IDLE_S
    assert route.timeouts.tunnel == limits.TUNNEL_IDLE_S
    assert route.limits.request_body == limits.REQUEST_BODY_BYTES_MAX
    assert route.lanes[0].weight == 1
    assert (route.lanes[0].colors, route.lanes[0].color, route.lanes[0].baseline) == ((), None, False)


def test_proxy_and_friends_are_read() -> None:
    """Durations in seconds, sizes in bytes, lists as tuples."""
    config = load_text(FULL, "f.yaml", {})
    assert config.proxy.listen == ("127.0.0.1:8080", "[::1]:8080", "unix:/run/p.sock")
    assert (config.proxy.timeouts.head, config.proxy.timeouts.keep_alive) == (0.5, 120.0)
    assert (config.proxy.limits.head, config.proxy.limits.headers, config.proxy.limits.connections) == (32768, 100, 10)
    assert config.proxy.drain == 0
    assert config.admin is not None
    assert config.admin.listen == "localhost:8081"
    assert (config.tracing.sample, config.tracing.inject) == (0.25, ("b3", "b3multi"))
    assert config.trust == ("loopback", "10.0.0.0/8", "fd00::/8", "192.0.2.7/32")
    assert config.mocks.llm is not None
    assert (config.mocks.llm.listen, config.mocks.llm.token_interval) == ("127.0.0.1:0", 0.02)


def test_color_rules_are_read() -> None:
    """Header names in lower case, cookies and parameters as written; bare text equals, and is a prefix for a path."""
    (rule,) = load_text(FULL, "f.yaml", {}).coloring
    assert rule.color == "canary"
    assert rule.when.header == {"x-canary": Matcher("exact", "1"), "x-b": Matcher("present", False)}
    assert rule.when.cookie == {"Beta": Matcher("prefix", "y")}
    assert rule.when.query == {"v": Matcher("regex", "[0-9]+")}
    assert rule.when.path == Matcher("prefix", "/a")
    assert rule.when.agent == Matcher("exact", "svc")
    assert rule.when.percent == 2.5


def test_routes_are_read() -> None:
    """A route with everything, and the three kinds of path."""
    first, second, third = load_text(FULL, "f.yaml", {}).routes
    assert (first.match.path, first.match.host, first.match.method) == ("/a", "*.example.com", ("GET",))
    assert first.match.header == {"x-a": Matcher("present", True)}
    assert first.sticky == (
        Sticky("header", "x-user"),
        Sticky("query", "u"),
        Sticky("cookie", "C"),
        Sticky("baggage", "user.id"),
        Sticky("trace", ""),
    )
    assert first.rewrite is not None
    assert first.rewrite.prefix == "/"
    assert first.llm is not None
    assert (first.llm.api, first.llm.mode, first.egress) == ("openai", "local", "trace")
    assert first.timeouts.model_dump() == {"connect": 1.5, "first_byte": 3600.0, "idle": 30.0, "tunnel": 86400.0}
    assert first.limits.request_body is None
    assert (second.match.exact, third.match.regex, third.match.method) == ("/x", "/y.*", ("PUT", "POST"))
    assert third.limits.request_body == 10_000


def test_lanes_are_read() -> None:
    """The weight of a lane that lists colours is 0 unless it is given."""
    stable, canary, dark = load_text(FULL, "f.yaml", {}).routes[0].lanes
    assert (stable.weight, stable.baseline) == (1, True)
    assert (canary.weight, canary.colors, canary.color) == (0.5, ("canary", "blue"), "canary")
    assert (dark.weight, dark.colors) == (0, ("dark",))


def test_pools_are_read() -> None:
    """Endpoints with the port of their scheme, hosts in lower case, header names as they are spelled."""
    pools = load_text(FULL, "f.yaml", {}).pools
    assert pools["p"].endpoints == (
        Endpoint("http", "host.example", 80),
        Endpoint("https", "2001:db8::1", 8443),
        Endpoint("unix", "", 0, "/run/a.sock"),
    )
    assert [str(one) for one in pools["p"].endpoints] == [
        "http://host.example",
        "https://[2001:db8::1]:8443",
        "unix:/run/a.sock",
    ]
    assert (pools["p"].balance, pools["p"].idle) == ("random", 60.0)
    assert (pools["q"].headers, pools["q"].host) == ({"X-Key": "a b"}, "client")


def test_empty_keys_are_as_good_as_none() -> None:
    """A section or list with everything in it commented out; for a section that must be there, its defaults."""
    config = load_text(MINIMAL + "proxy:\ncoloring:\ntracing: {sample: }\nmocks: {llm: }\n", "f.yaml", {})
    assert config.proxy.listen == ("127.0.0.1:8080",)
    assert config.coloring == ()
    assert config.tracing.sample == 1.0
    assert config.mocks.llm is not None


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    """Schema, variables, duplicate keys and references together; no problem is hidden by another or told twice."""
    text = """\
version: 1
proxy: {lisen: 127.0.0.1:80}
tracing: {sample: 2}
tracing: {}
routes:
  - name: a
    llm: {api: openai, mode: "${MODE_NOT_SET}"}
    lanes:
      - {name: x, pool: planer, wieght: 1}
      - {name: x, pool: planner, weight: often}
  - name: a
    lanes: [{name: x, pol: planner}]
pools:
  planner: {endpoints: [http://h/v1, http://h]}
"""
    with pytest.raises(ConfigError) as caught:
        load_text(text, "f.yaml", {})
    places = [(problem.line, problem.column, problem.path) for problem in caught.value.problems]
    assert places == [
        (2, 9, "proxy.lisen"),
        (3, 19, "tracing.sample"),
        (4, 1, "tracing"),
        (7, 30, "routes[0].llm.mode"),
        (9, 25, "routes[0].lanes[0].pool"),
        (9, 33, "routes[0].lanes[0].wieght"),
        (10, 16, "routes[0].lanes[1].name"),
        (10, 42, "routes[0].lanes[1].weight"),
        (11, 11, "routes[1].name"),
        (12, 23, "routes[1].lanes[0].pol"),
        (14, 25, "pools.planner.endpoints[0]"),
    ]
    assert "planer" in caught.value.problems[4].message
    assert "did you mean 'planner'" in caught.value.problems[4].message


def test_list_in_place_of_a_route_does_not_hide_the_others() -> None:
    """References of good routes are checked beside a broken one."""
    text = MINIMAL.replace("routes: [", "routes: [[], {name: b, lanes: [{name: o, pool: q}]}, ")
    with pytest.raises(ConfigError) as caught:
        load_text(text, "f.yaml", {})
    assert [problem.path for problem in caught.value.problems] == ["routes[0]", "routes[1].lanes[0].pool"]


def test_later_stages_can_ask_for_places() -> None:
    """A problem found after loading gets the line of its value, or of what is nearest around it."""
    loaded = read_text(FULL, "f.yaml", {})
    assert str(loaded.document.problem(("pools", "q", "headers", "X-Key"), "no")).startswith(
        "f.yaml:36:50: pools.q.headers.X-Key"
    )
    assert str(loaded.document.problem(("routes", 1, "match", "host"), "no")).startswith("f.yaml:32:23: routes[1].match")


def test_load_reads_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Some editors write one."""
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load(path, {}).routes[0].name == "all"


def test_problems_name_the_file(tmp_path: Path) -> None:
    """So that an editor can jump there."""
    path = tmp_path / "f.yaml"
    path.write_text(MINIMAL + "trust: 5\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value.problems[0]).startswith(f"{path}:4:8: trust: ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"version: 1\nroutes: \xff\xfe\n", ":2:9: the file is not UTF-8 text"),
        (b"#" * (limits.CONFIG_BYTES_MAX + 1), ":1:1: the file is larger than"),
        (b"", ":1:1: the file is empty"),
        (b"# only a comment\n", ":1:1: the file is empty"),
    ],
)
def test_unreadable_content(tmp_path: Path, content: bytes, expected: str) -> None:
    """Not text, too much of it, or none."""
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value.problems[0]).startswith(f"{path}{expected}")


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and a directory: one sentence, no line."""
    for path, reason in ((tmp_path / "none.yaml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError) as caught:
            load(path, {})
        assert str(caught.value.problems[0]) == f"{path}: cannot read the file: {reason}"

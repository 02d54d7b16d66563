"""Which route a request takes: the first of the file that matches, found by an index that must not change the answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_cases import head_for, route, table

from tracer_proxy.routing import condition, matcher
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.route import Match
from tracer_proxy.routing.table import Table
from tracer_proxy.wire.request import RequestHead


def found(by: Table, target: str, *headers: str, method: str = "GET", host: str = "test") -> str | None:
    chosen = by.find(Asking(head_for(by, target, *headers, method=method, host=host)))
    return chosen.name if chosen else None


def test_the_first_match_wins_not_the_longest() -> None:
    first = table([route("all", Match()), route("agents", Match(prefix=b"/agents")), route("one", Match(exact=b"/agents/1"))])
    last = table([route("one", Match(exact=b"/agents/1")), route("agents", Match(prefix=b"/agents")), route("all", Match())])
    assert found(first, "/agents/1") == "all"
    assert [found(last, target) for target in ("/agents/1", "/agents/1/2", "/agents", "/x")] == [
        "one",
        "agents",
        "agents",
        "all",
    ]


def test_no_route_is_an_answer_too() -> None:
    assert found(table([route("agents", Match(prefix=b"/agents"))]), "/agentsmith") is None
    assert found(table([]), "/") is None


@pytest.mark.parametrize(
    ("match", "taken", "refused"),
    [
        (Match(prefix=b"/a"), ["/a", "/a/", "/a/b/c?d", "/a?/b"], ["/", "/ab", "/A", "/b/a", "/%61"]),
        (Match(prefix=b"/"), ["/", "/a", "//a", "/?q"], []),
        (Match(prefix=b"/a/b"), ["/a/b", "/a/b/c"], ["/a", "/a/bc", "/a/c"]),
        (Match(exact=b"/a"), ["/a", "/a?b=c"], ["/a/", "/", "/a/b"]),
        (Match(regex=matcher.regex("/v[0-9]+/.*")), ["/v1/", "/v22/x/y"], ["/v1", "/vx/", "/a/v1/"]),
    ],
)
def test_paths(match: Match, taken: list[str], refused: list[str]) -> None:
    by = table([route("it", match)])
    assert [target for target in taken if found(by, target) != "it"] == []
    assert [target for target in refused if found(by, target) is not None] == []


def test_host_is_compared_without_port_and_case() -> None:
    by = table(
        [
            route("exact", Match(host=matcher.exact("agents.test"))),
            route("below", Match(host=matcher.suffix(".agents.test"))),
            route("six", Match(host=matcher.exact("[::1]"))),
        ]
    )
    hosts = ["agents.test", "Agents.TEST:8080", "a.b.agents.test", "[::1]:80", "[::1]", "xagents.test", "agents.test.evil"]
    assert [found(by, "/", host=host) for host in hosts] == ["exact", "exact", "below", "six", "six", None, None]


def test_the_host_of_an_absolute_target_counts() -> None:
    by = table([route("a", Match(host=matcher.exact("a.test")))])
    assert found(by, "http://a.test:1/x", host="b.test") == "a"
    assert found(by, "http://b.test/x", host="a.test") is None


def test_methods_and_headers_narrow_a_route() -> None:
    wanted = (condition.header("X-Tenant", matcher.exact("blue")), condition.header("x-beta", matcher.present(True)))
    by = table(
        [route("post", Match(methods=frozenset({b"POST", b"PUT"}))), route("tenant", Match(conditions=wanted))],
        watched=[b"x-tenant", b"x-beta"],
    )
    assert found(by, "/", method="PUT") == "post"
    assert found(by, "/", "x-TENANT:  blue ", "X-Beta:") == "tenant"
    assert found(by, "/", "x-tenant: blue") is None
    assert found(by, "/", "x-tenant: blue", "x-tenant: blue", "x-beta: 1") is None, "two values are not the one asked for"


SEGMENTS = st.lists(st.sampled_from(["", "a", "ab", "b", "%61"]), max_size=4)
PATHS = SEGMENTS.map(lambda segments: "/" + "/".join(segments))
MATCHES = st.one_of(
    st.just(Match()),
    PATHS.map(lambda path: Match(prefix=path.encode())),
    PATHS.map(lambda path: Match(exact=path.encode())),
    st.sampled_from(["/a.*", "/.*b", "/"]).map(lambda pattern: Match(regex=matcher.regex(pattern))),
    st.tuples(PATHS, st.sampled_from([b"GET", b"POST"])).map(
        lambda pair: Match(prefix=pair[0].encode(), methods=frozenset({pair[1]}))
    ),
)


def takes(match: Match, head: RequestHead) -> bool:
    """What the words of the config say, without an index."""
    if match.exact is not None and head.path != match.exact:
        return False
    if match.prefix is not None:
        wanted, given = match.prefix.rstrip(b"/").split(b"/"), head.path.split(b"/")
        if given[: len(wanted)] != wanted:
            return False
    return not match.rejects(Asking(head))


@given(st.lists(MATCHES, max_size=12), PATHS, st.sampled_from(["GET", "POST"]))
@settings(deadline=None)
def test_the_index_finds_what_a_look_at_every_route_finds(matches: list[Match], path: str, method: str) -> None:
    by = table([route(str(index), match) for index, match in enumerate(matches)])
    head = head_for(by, path, method=method)
    chosen = by.find(Asking(head))
    assert chosen is next((candidate for candidate in by.routes if takes(candidate.match, head)), None)

"""Matchers: one test of one value; and what is looked up for them in cookies and queries."""

import pytest

from tracer_proxy.routing.matcher import (
    Matcher,
    cookie_value,
    exact,
    path_prefix,
    prefix,
    present,
    query_value,
    regex,
    suffix,
)


@pytest.mark.parametrize(
    ("matcher", "holds", "fails"),
    [
        (exact("a"), [b"a"], [b"A", b"ab", b"", None]),
        (exact(""), [b""], [b"a", None]),
        (exact("é"), ["é".encode()], ["é".encode("latin-1"), None]),
        (prefix("svc-"), [b"svc-", b"svc-pay"], [b"svc", b"x-svc-", b"", None]),
        (suffix(".test"), [b".test", b"a.test"], [b"test", b"a.test.b", None]),
        (regex("a|bc+"), [b"a", b"bccc"], [b"ab", b"xa", b"bc\n", b"", None]),
        (regex("(?i)one"), [b"ONE"], [b"one ", None]),
        (present(True), [b"", b"x"], [None]),
        (present(False), [None], [b"", b"x"]),
    ],
    ids=str,
)
def test_what_holds_and_what_does_not(matcher: Matcher, holds: list[bytes | None], fails: list[bytes | None]) -> None:
    assert [value for value in holds if not matcher.test(value)] == []
    assert [value for value in fails if matcher.test(value)] == []


@pytest.mark.parametrize(
    ("expected", "holds", "fails"),
    [
        ("/agents", [b"/agents", b"/agents/", b"/agents/x"], [b"/agentsmith", b"/agent", b"/Agents", b"/x/agents", None]),
        ("/agents/", [b"/agents/", b"/agents/x"], [b"/agentsmith", b"/x", None]),
        ("/", [b"/", b"/a", b"//"], [b"*", None]),
    ],
)
def test_path_prefix_ends_on_a_segment_border(expected: str, holds: list[bytes], fails: list[bytes | None]) -> None:
    matcher = path_prefix(expected)
    assert [value for value in holds if not matcher.test(value)] == []
    assert [value for value in fails if matcher.test(value)] == []


@pytest.mark.parametrize(
    ("cookies", "value"),
    [
        (None, None),
        (b"", None),
        (b"other=1", None),
        (b"sid=1", b"1"),
        (b"a=b; sid=1; sid=2", b"1"),
        (b'sid="quoted"', b"quoted"),
        (b"sid=a=b", b"a=b"),
        (b"sid=", b""),
        (b"sid", None),
        (b"xsid=1; sid =2", b"2"),
    ],
)
def test_the_first_cookie_of_that_name(cookies: bytes | None, value: bytes | None) -> None:
    assert cookie_value(cookies, b"sid") == value


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (b"", None),
        (b"xid=1", None),
        (b"id=1&id=2", b"1"),
        (b"a=b&id=x%20y+z", b"x y z"),
        (b"i%64=1", b"1"),
        (b"id", b""),
        (b"id=%zz", b"%zz"),
        (b"&&id=a=b", b"a=b"),
    ],
)
def test_the_first_query_parameter_of_that_name(query: bytes, value: bytes | None) -> None:
    assert query_value(query, b"id") == value

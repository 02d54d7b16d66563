"""Session keys that are credentials: they decide, and nobody reads them in a record."""

import json

import pytest
from harness import OK, answering, proxy, request, say, upstream
from records_kept import EXPORTED, Kept

from tracer_proxy.telemetry.exchange_log import line_of

SECRET = "hunter2-hunter2"
JSON = "content-type: application/json"


def two_lanes(url: str, route: str) -> str:
    """So that something hangs on the session, and bodies are read."""
    routes = "  - name: all\n    lanes: [{name: a, pool: p}, {name: b, pool: p}]\n"
    routes += "".join(f"    {line}\n" for line in route.splitlines())
    return f"version: 1\nproxy: {{listen: 127.0.0.1:0}}\n{EXPORTED}\nroutes:\n{routes}pools: {{p: {{endpoints: [{url}]}}}}\n"


@pytest.mark.parametrize(
    ("route", "asked"),
    [
        ("sticky: [header:authorization]", request("GET / HTTP/1.1", f"authorization: {SECRET}")),
        ("sticky: [header:x-api-key]", request("GET / HTTP/1.1", f"x-api-key: {SECRET}")),
        ("sticky: [header:x-auth-token]", request("GET / HTTP/1.1", f"x-auth-token: {SECRET}")),
        ("sticky: ['cookie:sid']", request("GET / HTTP/1.1", f"cookie: a=b; sid={SECRET}")),
        ("", request("GET / HTTP/1.1", f"cookie: session_id={SECRET}")),
        ("session_cookie: {name: mine}", request("GET / HTTP/1.1", f"cookie: session_id={SECRET}")),
        ("sticky: ['query:token']", request(f"GET /?token={SECRET} HTTP/1.1")),
        ("sticky: ['baggage:api-key']", request("GET / HTTP/1.1", f"baggage: api-key={SECRET}")),
        (
            "sticky: ['body:/auth/token']",
            request("POST / HTTP/1.1", JSON, body=json.dumps({"auth": {"token": SECRET}}).encode()),
        ),
    ],
)
async def test_a_credential_is_told_by_a_digest(route: str, asked: bytes) -> None:
    async with upstream(answering(OK)) as endpoint, proxy(two_lanes(endpoint.url, route)) as running:
        kept = Kept(running)
        for request_ in (asked, asked, asked.replace(SECRET.encode(), SECRET[::-1].encode())):
            await say(running.port, request_)
        one, again, other = await kept.next(3)
    assert one.session == again.session != other.session
    assert [(len(each.session), each.session[0], each.session_key) for each in (one, other)] == [(17, "~", "")] * 2
    assert SECRET not in json.dumps(line_of(one))


@pytest.mark.parametrize(
    ("route", "asked"),
    [
        ("", request("GET / HTTP/1.1", "x-session-id: alice")),
        ("sticky: ['body:/tokens/thread']", request("POST / HTTP/1.1", JSON, body=b'{"tokens": {"thread": "alice"}}')),
        ("session_cookie: {name: mine}", request("GET / HTTP/1.1", "cookie: mine=alice")),
        ("session_cookie: {name: sid}\nsticky: ['cookie:sid']", request("GET / HTTP/1.1", "cookie: sid=alice")),
    ],
)
async def test_other_names_are_told_as_they_are(route: str, asked: bytes) -> None:
    async with upstream(answering(OK)) as endpoint, proxy(two_lanes(endpoint.url, route)) as running:
        kept = Kept(running)
        await say(running.port, asked)
        record = await kept.one()
    assert (record.session, record.session_key) == ("alice", "")


async def test_a_run_keeps_its_name_and_the_key_beside_it_is_a_digest() -> None:
    route = "sticky: [header:authorization]"
    async with upstream(answering(OK)) as endpoint, proxy(two_lanes(endpoint.url, route)) as running:
        kept = Kept(running)
        await say(running.port, request("GET /~/run-7/ HTTP/1.1", f"authorization: {SECRET}"))
        record = await kept.one()
    assert record.session == "run-7"
    assert (len(record.session_key), record.session_key[0]) == (17, "~")

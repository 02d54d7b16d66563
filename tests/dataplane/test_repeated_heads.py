"""A head that comes again is not read again; nobody may be able to tell.

Every head is sent alone, on a connection of its own, and again behind every other head on one connection: the endpoint must
hear the same, but for the ids that are new each time. The same for answers, whose heads are known again on a kept connection.
"""

import re
from itertools import product

import pytest
from harness import OK, answering, one_route, proxy, say, upstream

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1111111111111111111111111111111f-b7ad6b7169203331-00"


def post(*lines: str, length: str | None = "Content-Length: 2", body: str = "ab") -> bytes:
    return "\r\n".join(["POST /p?q HTTP/1.1", "Host: t", *lines, *([length] if length else []), "", body]).encode()


REQUESTS = {
    "plain": post(),
    "longer": post(length="Content-Length: 5", body="abcde"),
    "lower case": post(length="content-length: 3", body="abc"),
    "leading zeros": post(length="Content-Length: 002"),
    "empty body": post(length="Content-Length: 0", body=""),
    "no length": post(length=None, body=""),
    "chunked": post("Transfer-Encoding: chunked", length=None, body="1\r\na\r\n0\r\n\r\n"),
    "traced": post(f"traceparent: {TRACE}"),
    "traced otherwise": post(f"traceparent: {OTHER}"),
    "traced last": post(length=f"Content-Length: 2\r\ntraceparent: {TRACE}"),
    "trace cut short": post("traceparent: 00-0af7651916cd43dd8448eb211c80319c", "X-After: 1"),
    "trace too long": post(f"traceparent: {TRACE}-more"),
    "trace of a later version": post(f"traceparent: cc{TRACE[2:]}"),
    "trace in zeros": post("traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01"),
    "trace in capitals": post(f"traceparent: {TRACE.upper()}"),
    "trace twice": post(f"traceparent: {TRACE}", f"traceparent: {OTHER}"),
    "trace spelled otherwise": post(f"Traceparent: {OTHER}"),
    "other formats beside": post(f"traceparent: {TRACE}", "b3: 1111111111111111-b7ad6b7169203331-1", "tracestate: a=b"),
    "coloured": post(f"traceparent: {TRACE}", "x-traffic-color: blue", "baggage: k=v"),
    "session": post("x-session-id: s1"),
    "other session": post("x-session-id: s2"),
    "max-forwards": b"OPTIONS / HTTP/1.1\r\nHost: t\r\nMax-Forwards: 7\r\n\r\n",
}

ANSWERS = {
    "plain": OK,
    "longer": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "other status": b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nok",
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n",
    "not modified, longer": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "more headers": b"HTTP/1.1 200 OK\r\nX-A: 1\r\ncontent-length: 1\r\nX-B: 2\r\n\r\nx",
    "interim first": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n" + OK,
}


def without_new_ids(head: bytes) -> bytes:
    """A head with the ids that are new on every exchange struck out; a caller's trace id stays."""
    head = re.sub(rb"(traceparent: 00-[0-9a-f]{32})-[0-9a-f]{16}", rb"\1-SPAN", head)
    for known in (TRACE, OTHER):
        head = head.replace(known.split("-")[1].encode(), b"TRACE-" + known[3:7].encode())
    return re.sub(rb"[0-9a-f]{32}-SPAN-0[0-3]|[0-9a-f]{32}", b"NEW", head)


CLOSE = b"GET /close HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"


async def test_repeated_requests_are_heard_as_if_they_were_new() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        alone: dict[str, tuple[bytes, bytes]] = {}
        for name, sent in REQUESTS.items():
            await say(running.port, sent, CLOSE, pause_s=0.005)
            alone[name] = without_new_ids(endpoint.heard[-2]), endpoint.bodies[-2]
        for first, second in product(REQUESTS, repeat=2):
            order = [first, second, first, first, first, second, second, second, first]
            await say(running.port, *(REQUESTS[name] for name in order), CLOSE)
            count = len(order) + 1
            heads, bodies = map(without_new_ids, endpoint.heard[-count:]), endpoint.bodies[-count:]
            heard = list(zip(heads, bodies, strict=True))
            assert heard[:-1] == [alone[name] for name in order], f"{first}, then {second}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_repeated_answers_are_told_as_if_they_were_new(method: str) -> None:
    def bodiless(answer: bytes) -> bytes:
        final = answer[answer.rindex(b"HTTP/1.1 ") :]
        return answer[: len(answer) - len(final)] + final.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    answers = {name: bodiless(answer) if method == "HEAD" else answer for name, answer in ANSWERS.items()}
    asked = f"{method} / HTTP/1.1\r\nHost: t\r\n".encode()
    last = asked + b"Connection: close\r\n\r\n"

    async def told(*names: str) -> bytes:
        async with (
            upstream(answering(*(answers[name] for name in names))) as endpoint,
            proxy(one_route(endpoint.url)) as running,
        ):
            heard = await say(running.port, (asked + b"\r\n") * (len(names) - 1) + last)
            assert endpoint.connections == 1, names
        return without_new_ids(heard).replace(b"Connection: close\r\n", b"")

    alone = {name: await told(name) for name in answers}
    for first, second in product(answers, repeat=2):
        order = [first, second, first, first, first, second, second, second, first]
        assert await told(*order) == b"".join(alone[name] for name in order), f"{first}, then {second}"


async def test_heads_that_never_come_again_are_heard_as_they_are() -> None:
    """After some of them in a row nobody looks for repetitions on that connection; that must not show either."""
    heads = [post(f"X-Unique: {number}", f"traceparent: {TRACE}") for number in range(20)]
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        await say(running.port, b"".join(heads) + REQUESTS["session"] * 3 + CLOSE)
    unique = [re.search(rb"X-Unique: (\d+)\r\n", head) for head in endpoint.heard[:20]]
    assert [found and int(found[1]) for found in unique] == list(range(20))
    assert all(TRACE.split("-")[1].encode() in head for head in endpoint.heard[:20])
    assert [b"x-session-id: s1\r\n" in head for head in endpoint.heard[20:23]] == [True] * 3

"""``/api/exchanges`` and its stream: what is remembered, what comes, and readers that are slow or gone."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession
from harness import WAIT_S
from live_admin import LiveAdmin, live_admin
from record_cases import BEGAN, SECRET, record, turn

from tracer_proxy.control.admin import exchanges
from tracer_proxy.control.live import Filter, Live
from tracer_proxy.limits import LIVE_PENDING_MAX, LIVE_RECORDS_MAX, LIVE_STREAMS_MAX


class Reader:
    """Of a stream: ``events`` as they come, comments included under the name of nothing."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer = answer

    async def event(self) -> tuple[str, Any]:
        name, data = "", ""
        async with asyncio.timeout(WAIT_S):
            while line := (await self.answer.content.readline()).decode():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ").strip()
                elif line.startswith("data: "):
                    data = line.removeprefix("data: ")
                elif line.startswith(":"):
                    return "", line.strip()
                elif name:
                    return name, json.loads(data)
        raise EOFError

    async def next(self) -> tuple[str, Any]:
        """Leaves out comments."""
        while True:
            name, document = await self.event()
            if name:
                return name, document

    async def path(self) -> str:
        name, document = await self.next()
        assert name == "exchange"
        return str(document["url.path"])


@asynccontextmanager
async def reading(admin: LiveAdmin, query: str = "") -> AsyncIterator[Reader]:
    async with ClientSession() as client, client.get(f"{admin.url}/api/exchanges/stream{query}") as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/event-stream"
        reader = Reader(answer)
        assert await reader.event() == ("", ": what comes now")
        yield reader


async def asked(admin: LiveAdmin, query: str = "", headers: dict[str, str] | None = None) -> tuple[int, Any]:
    url = f"{admin.url}/api/exchanges{query}"
    async with ClientSession() as client, client.get(url, headers=headers) as answer:
        return answer.status, await answer.json()


async def paths(admin: LiveAdmin, query: str = "") -> list[str]:
    return [exchange["url.path"] for exchange in (await asked(admin, query))[1]["exchanges"]]


async def test_the_last_exchanges_newest_first() -> None:
    async with live_admin() as admin:
        assert await asked(admin) == (200, {"remembered": 0, "since": None, "exchanges": []})
        for number in range(LIVE_RECORDS_MAX + 5):
            admin.live.take(record(path=f"/{number}", began=BEGAN + number, ended=BEGAN + number))
        assert await paths(admin, "?limit=2") == ["/1004", "/1003"]
        assert len(await paths(admin)) == 100
        _, shown = await asked(admin, f"?limit={LIVE_RECORDS_MAX}")
    assert (shown["remembered"], shown["since"]) == (LIVE_RECORDS_MAX, "2026-01-01T00:00:05.000000Z")
    assert shown["exchanges"][-1]["url.path"] == "/5"


async def test_what_is_asked_for() -> None:
    async with live_admin() as admin:
        admin.live.take(record(path="/other", trace_id=b"0af70000000000000000000000000000", route="other"))
        admin.live.take(record(path="/missing", status=404))
        admin.live.take(record(path="/broken", status=200, error="upstream_closed"))
        admin.live.take(record(path="/left", status=200, error="client_gone"))
        for each in turn():
            admin.live.take(each)
        assert await paths(admin, "?route=other") == ["/other"]
        assert await paths(admin, "?errors=1") == ["/left", "/broken", "/missing"]
        assert await paths(admin, "?trace=0AF70") == ["/other"]
        assert len(await paths(admin, "?trace=0af7")) == 7
        _, shown = await asked(admin, "?trace=0af7651916cd43dd8448eb211c80319c&limit=1")
        (whole,) = shown["exchanges"]
    assert whole["attempts"][0]["span_id"] == "00f067aa0ba902b7"
    assert whole["links"][0]["reason"] == "previous_turn"
    assert SECRET not in str(shown)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?limit=many", "limit: expected a number from 0 to 1000."),
        ("?limit=-1", "limit: expected a number"),
        ("?trace=xyz", "trace: expected hex digits"),
        ("?errors=yes", "errors: expected 1"),
        ("?rute=x", "unknown parameter 'rute'; did you mean 'route'?"),
        ("/stream?last=x", "last: expected a number"),
        ("/stream?limit=1", "unknown parameter 'limit'"),
    ],
)
async def test_wrong_questions_are_answered_with_a_sentence(query: str, says: str) -> None:
    async with live_admin() as admin:
        code, answer = await asked(admin, query)
    assert (code, answer["error"]["kind"]) == (400, "wrong_question")
    assert says in answer["error"]["message"]


async def test_the_token_is_asked_for() -> None:
    async with live_admin(token="t" * 20) as admin:
        codes = [(await asked(admin, path))[0] for path in ("", "/stream")]
        shown, _ = await asked(admin, headers={"authorization": f"Bearer {'t' * 20}"})
    assert (codes, shown) == ([401, 401], 200)


async def test_a_stream_begins_with_the_last_and_goes_on_without_a_gap() -> None:
    async with live_admin() as admin:
        for number in range(5):
            admin.live.take(record(path=f"/{number}"))
        async with reading(admin, "?last=2") as reader:
            admin.live.take(record(path="/5"))
            assert [await reader.path() for _ in range(3)] == ["/3", "/4", "/5"]
            admin.live.take(record(path="/x", route="other"))
            assert await reader.path() == "/x"


async def test_a_stream_of_one_route() -> None:
    async with live_admin() as admin, reading(admin, "?route=other") as reader:
        admin.live.take(record(path="/1"))
        admin.live.take(record(path="/2", route="other"))
        assert await reader.path() == "/2"


async def test_workers_send_everything_while_somebody_watches() -> None:
    async with live_admin() as admin:
        async with reading(admin) as first:
            async with reading(admin):
                pass
            admin.live.take(record(path="/1"))
            assert await first.path() == "/1"
            assert admin.wanted == [True]
        async with asyncio.timeout(WAIT_S):
            while admin.wanted != [True, False]:
                # Written to, a stream notices that its reader has gone.
                admin.live.take(record())
                await asyncio.sleep(0.01)


async def test_a_reader_that_is_slow_loses_some_and_is_told() -> None:
    async with live_admin() as admin, reading(admin) as reader:
        sent = 3 * LIVE_PENDING_MAX
        for number in range(sent):
            # All at once: the stream has no turn meanwhile.
            admin.live.take(record(path=f"/{number}"))
        admin.live.take(record(path="/never shown"))
        seen: list[str] = []
        lost = 0
        while len(seen) + lost < sent + 1:
            name, document = await reader.next()
            if name == "lost":
                lost += document["lost"]
            else:
                seen.append(document["url.path"])
        assert seen == [f"/{number}" for number in range(LIVE_PENDING_MAX)]
        assert lost == sent + 1 - LIVE_PENDING_MAX
        admin.live.take(record(path="/after"))
        assert await reader.path() == "/after"


async def test_a_reader_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "LIVE_STALL_S", 0.05)
    large = record(user_agent="x" * 1000, path="/" + "x" * 1000, target="/" + "x" * 1000)
    async with live_admin() as admin:
        _, writer = await asyncio.open_connection("127.0.0.1", admin.port, limit=1)
        writer.write(b"GET /api/exchanges/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(WAIT_S):
            await admin.watched()
            while admin.wanted != [True, False]:
                # The system takes megabytes for a reader before it takes no more.
                for _ in range(LIVE_PENDING_MAX):
                    admin.live.take(large)
                await asyncio.sleep(0.001)
        writer.transport.abort()


async def test_a_quiet_stream_says_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges.Exchanges.__init__, "__defaults__", (0.02,))
    async with live_admin() as admin, reading(admin) as reader:
        assert [await reader.event() for _ in range(2)] == [("", ": still here")] * 2
        admin.live.take(record(path="/1"))
        assert await reader.path() == "/1"


async def test_only_so_many_streams() -> None:
    async with live_admin() as admin, ClientSession() as client:
        url = f"{admin.url}/api/exchanges/stream"
        streams = [await client.get(url) for _ in range(LIVE_STREAMS_MAX)]
        code, answer = await asked(admin, "/stream")
        assert (code, answer["error"]["kind"]) == (503, "too_many_streams")
        for stream in streams:
            stream.close()


async def test_a_stream_ends_when_the_proxy_drains() -> None:
    async with live_admin() as admin:
        async with reading(admin) as reader:
            admin.live.take(record(path="/last"))
            admin.live.end()
            assert await reader.path() == "/last"
            assert await reader.next() == ("end", {"reason": "draining"})
            assert await reader.answer.content.read() == b""
        code, answer = await asked(admin, "/stream")
        assert (code, answer["error"]["kind"]) == (503, "draining")
        assert (await asked(admin))[0] == 200


def test_what_was_said_is_not_kept() -> None:
    live, kept = Live(), turn()[1]
    live.take(kept)
    (remembered,) = live.recent(Filter(), 1)
    assert SECRET not in repr(remembered)
    assert SECRET in repr(kept), "the record goes on to others, who may want it"

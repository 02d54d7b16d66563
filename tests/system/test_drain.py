"""SIGTERM: nothing new comes in, what is under way ends well, and then the process does."""

import asyncio
import signal
from pathlib import Path

import pytest
from harness import (
    OK,
    WAIT_S,
    Upstream,
    answering,
    connection,
    field,
    one_route,
    proxy,
    read_chunked,
    request,
    say,
    status,
    upstream,
)
from proxy_process import proxy_process

from tracer_proxy.limits import DRAIN_SERVE_S

FIRST = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
LAST = b"4\r\nlast\r\n0\r\n\r\n"
CUT_OFF = (ConnectionError, asyncio.IncompleteReadError)


class Streaming:
    """An endpoint that sends a first piece, and the last one when ``finish`` is set."""

    def __init__(self) -> None:
        self.finish = asyncio.Event()

    async def handle(self, endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(FIRST)
        await self.finish.wait()
        writer.write(LAST)


async def begin(client: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> asyncio.StreamReader:
    """Sends a request and reads the first piece of its answer."""
    client[1].write(request(close=False))
    await client[0].readuntil(b"5\r\nfirst\r\n")
    return client[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stream_under_way_ends_well_and_nobody_new_comes_in(number: signal.Signals, tmp_path: Path) -> None:
    streaming = Streaming()
    async with (
        upstream(streaming.handle) as endpoint,
        proxy_process(one_route(endpoint.url, listener="drain: 1h"), tmp_path) as running,
        connection(running.port) as client,
        connection(running.port) as idle,
    ):
        reader = await begin(client)
        running.send(number)
        assert (await running.event("draining"))["under_way"] == 1
        async with asyncio.timeout(WAIT_S):
            assert await idle[0].read(-1) == b"", "a connection without a request is closed"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", running.port)
        streaming.finish.set()
        async with asyncio.timeout(WAIT_S):
            assert await read_chunked(reader) == b"last"
            assert await reader.read(-1) == b"", "and the connection is closed, too"
        assert (await running.event("stopped"))["exchanges"] == 1
        assert await running.exit_code() == 0


async def test_a_second_signal_ends_the_wait(tmp_path: Path) -> None:
    async with (
        upstream(Streaming().handle) as endpoint,
        proxy_process(one_route(endpoint.url, listener="drain: 1h"), tmp_path) as running,
        connection(running.port) as client,
    ):
        reader = await begin(client)
        running.send(signal.SIGTERM)
        assert (await running.event("draining"))["at_most_s"] == 3600
        running.send(signal.SIGTERM)
        await running.event("stopped")
        assert await running.exit_code() == 0
        with pytest.raises(CUT_OFF):
            await read_chunked(reader)


async def test_the_wait_has_an_end(tmp_path: Path) -> None:
    async with (
        upstream(Streaming().handle) as endpoint,
        proxy_process(one_route(endpoint.url, listener="drain: 300ms"), tmp_path) as running,
        connection(running.port) as client,
    ):
        reader = await begin(client)
        running.send(signal.SIGTERM)
        assert (await running.event("exchange_failed"))["kind"] == "draining", "what is cut off is told"
        assert await running.exit_code() == 0
        with pytest.raises(CUT_OFF):
            await read_chunked(reader)


async def test_an_answer_that_begins_while_draining_ends_its_connection() -> None:
    """The client is told, so that its next request goes elsewhere."""
    asked, answer_now = asyncio.Event(), asyncio.Event()

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        asked.set()
        await answer_now.wait()
        writer.write(OK)

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running, asyncio.timeout(WAIT_S):
        answer = asyncio.ensure_future(say(running.port, request(close=False) + request("GET /next HTTP/1.1")))
        await asked.wait()
        drained = asyncio.ensure_future(running.worker.drain(WAIT_S))
        await asyncio.sleep(0)
        answer_now.set()
        heard = await answer
        await drained
    assert field(heard, "connection") == b"close"
    assert heard.count(b"HTTP/1.1 ") == 1
    assert len(endpoint.heard) == 1


async def test_a_slow_reader_gets_the_end_of_an_answer_that_is_over() -> None:
    """The upstream is done, but the last bytes still wait in the proxy for the client to take them."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        (side,) = running.worker.downstreams
        # In steps below the size at which the proxy stops reading, until the kernel takes no more for the client.
        while side.transport.get_write_buffer_size() == 0:
            writer.write(b"18000\r\n" + b"x" * 0x18000 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.005)
        writer.write(b"0\r\n\r\n")

    async with (
        upstream(handle) as endpoint,
        proxy(one_route(endpoint.url)) as running,
        connection(running.port) as (reader, writer),
        asyncio.timeout(WAIT_S),
    ):
        worker = running.worker
        writer.write(request(close=False))
        while not endpoint.heard or any(side.exchange for side in worker.downstreams):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        drained = asyncio.ensure_future(worker.drain(WAIT_S))
        await asyncio.sleep(0.1)
        assert not drained.done(), "the process would end, and with it what waits in its buffers"
        heard = await reader.read(-1)
        await drained
    assert heard.endswith(b"\r\n0\r\n\r\n")


async def test_draining_with_nothing_to_do_is_quick_and_quiet(tmp_path: Path) -> None:
    async with upstream(answering(OK)) as endpoint, proxy_process(one_route(endpoint.url), tmp_path) as running:
        assert status(await say(running.port, request())) == 200
        running.send(signal.SIGINT)
        await running.event("stopped")
        assert await running.exit_code() == 0
        assert [event["event"] for event in running.events] == ["ready", "draining", "stopped"]
        assert await running.rest() == b"", "nothing but events on stderr"


async def test_a_request_that_was_half_there_is_told_to_come_again(tmp_path: Path) -> None:
    """Whoever is still sending a head when the proxy stops gets an answer, not a closed connection."""
    streaming = Streaming()
    async with (
        upstream(streaming.handle) as endpoint,
        proxy_process(one_route(endpoint.url, listener="drain: 1h"), tmp_path) as running,
        connection(running.port) as under_way,
        connection(running.port) as (reader, writer),
    ):
        await begin(under_way)
        writer.write(b"GET / HTTP/1.1\r\nHost:")
        await asyncio.sleep(0.2)
        running.send(signal.SIGTERM)
        await running.event("draining")
        # Until then it would still be served.
        await asyncio.sleep(DRAIN_SERVE_S + 0.5)
        writer.write(b" t\r\n\r\n")
        async with asyncio.timeout(WAIT_S):
            answer = await reader.read(-1)
        assert (status(answer), field(answer, "retry-after")) == (503, b"1")
        assert b'"kind": "draining"' in answer
        streaming.finish.set()
        assert await running.exit_code() == 0


async def test_what_comes_on_open_connections_just_then_is_served(tmp_path: Path) -> None:
    """Their clients cannot know yet; the answer tells them."""
    async with (
        upstream(answering(OK)) as endpoint,
        proxy_process(one_route(endpoint.url), tmp_path) as running,
        connection(running.port) as kept,
        connection(running.port) as new,
    ):
        kept[1].write(request(close=False))
        await kept[0].readuntil(b"\r\n\r\nok")
        running.send(signal.SIGTERM)
        await running.event("draining")
        # The worker hears of it in its own time.
        await asyncio.sleep(0.2)
        for reader, writer in (kept, new):
            writer.write(request(close=False))
            async with asyncio.timeout(WAIT_S):
                answer = await reader.read(-1)
            assert (status(answer), field(answer, "connection")) == (200, b"close")
        assert await running.exit_code() == 0

"""WebSockets through the proxy, with aiohttp at both ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from harness import WAIT_S, Proxy, one_route, proxy

BIG = 5 * 1024 * 1024


class Agent:
    """Echoes, and does what some texts ask for. ``closed`` holds the close code it saw."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.closed: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        socket = web.WebSocketResponse(protocols=("chat.v2",), max_msg_size=2 * BIG)
        await socket.prepare(request)
        async for message in socket:
            if message.data == "leave":
                await socket.close(code=4001, message=b"as you wish")
            elif message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data)
        self.closed.set_result(socket.close_code)
        return socket


@asynccontextmanager
async def agent(route: str = "") -> AsyncIterator[tuple[Agent, Proxy]]:
    app, served = web.Application(), Agent()
    app.router.add_get("/socket", served.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with proxy(one_route(f"http://127.0.0.1:{port}", route=route)) as running, asyncio.timeout(3 * WAIT_S):
            yield served, running
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(running: Proxy, **headers: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{running.url}/socket", protocols=("chat.v2",), headers=headers, max_msg_size=2 * BIG) as socket,
    ):
        yield socket


async def test_text_binary_and_order() -> None:
    async with agent() as (_, running), connected(running) as socket:
        for number in range(50):
            await socket.send_str(f"text {number} 月")
            await socket.send_bytes(bytes([number]) * 300)
        for number in range(50):
            assert await socket.receive_str() == f"text {number} 月"
            assert await socket.receive_bytes() == bytes([number]) * 300


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, BIG])
async def test_messages_of_every_length_form(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    async with agent() as (_, running), connected(running) as socket:
        await socket.send_bytes(data)
        assert await socket.receive_bytes() == data


async def test_several_big_messages_at_once_are_held_by_back_pressure_and_lost_nowhere() -> None:
    async with agent() as (_, running), connected(running) as socket:

        async def send() -> None:
            for number in range(4):
                await socket.send_bytes(bytes([number]) * BIG)

        async def receive() -> list[tuple[int, int]]:
            messages = [await socket.receive_bytes() for _ in range(4)]
            return [(message[0], len(message)) for message in messages]

        _, received = await asyncio.gather(send(), receive())
    assert received == [(number, BIG) for number in range(4)]


async def test_the_upgrade_request_is_an_exchange_like_any_other() -> None:
    """One coherent trace, a colour, and the subprotocol that both sides agreed on."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "x-traffic-color": "canary"}
    async with agent() as (served, running):
        async with connected(running, **headers) as socket:
            assert socket.protocol == "chat.v2"
            assert socket._response.headers["x-trace-id-ext"] == trace
        assert served.headers["traceparent"].split("-")[1] == trace
        assert served.headers["x-traffic-color"] == "canary"
        assert served.headers["upgrade"] == "websocket"


async def test_ping_goes_the_whole_way() -> None:
    async with (
        agent() as (_, running),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{running.url}/socket", autoping=False) as socket,
    ):
        await socket.ping(b"are you there")
        message = await socket.receive()
    assert (message.type, bytes(message.data)) == (aiohttp.WSMsgType.PONG, b"are you there")


@pytest.mark.parametrize("code", [1000, 1001, 3999, 4999])
async def test_the_clients_close_code_arrives(code: int) -> None:
    async with agent() as (served, running):
        async with connected(running) as socket:
            await socket.close(code=code)
        assert await served.closed == code


async def test_the_servers_close_code_and_reason_arrive() -> None:
    async with agent() as (_, running), connected(running) as socket:
        await socket.send_str("leave")
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "as you wish")


async def test_a_client_that_vanishes_is_noticed_by_the_server() -> None:
    async with agent() as (served, running), connected(running) as socket:
        await socket.send_str("hello")
        await socket.receive_str()
        transport = socket.get_extra_info("socket")
        assert transport is not None
        assert socket._response.connection is not None
        assert socket._response.connection.transport is not None
        socket._response.connection.transport.abort()
        assert await served.closed == 1006


async def test_a_silent_tunnel_is_closed_after_its_own_limit() -> None:
    """``timeouts.tunnel`` counts; the limits of an exchange are over with the switch."""
    async with agent("timeouts: {idle: 100ms, first_byte: 100ms, tunnel: 1500ms}") as (served, running):
        async with connected(running) as socket:
            await asyncio.sleep(0.5)
            await socket.send_str("still here")
            assert await socket.receive_str() == "still here"
            message = await socket.receive()
            assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert await served.closed == 1006

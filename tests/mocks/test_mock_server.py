"""Where mocks listen, and how they stop."""

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import ClientSession, UnixConnector, web

from tracer_proxy.mocks import server


@pytest.fixture
def app() -> web.Application:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def never(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/never", never)
    return app


@pytest.mark.parametrize("listen", ["127.0.0.1:0", ":0"])
async def test_port_zero_picks_a_free_port_on_loopback(app: web.Application, listen: str) -> None:
    running = await server.start(app, listen)
    assert running.address.startswith("127.0.0.1:")
    async with ClientSession() as session, session.get(f"http://{running.address}/") as response:
        assert await response.text() == "hello"
    await running.stop()


async def test_a_unix_socket_is_removed_with_the_mock(app: web.Application, tmp_path: Path) -> None:
    path = tmp_path / "mock.sock"
    running = await server.start(app, f"unix:{path}")
    assert running.address == f"unix:{path}"
    async with ClientSession(connector=UnixConnector(str(path))) as session, session.get("http://mock/") as response:
        assert await response.text() == "hello"
    await running.stop()
    assert not path.exists()


@pytest.mark.parametrize("listen", ["", "localhost", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "::1:80", "::1"])
async def test_an_address_that_cannot_be_read(app: web.Application, listen: str) -> None:
    with pytest.raises(ValueError, match="expected host:port"):
        await server.start(app, listen)


def test_brackets_of_ipv6_are_taken_off() -> None:
    assert server.host_and_port("[::1]:8082") == ("::1", 8082)


async def test_a_port_that_is_taken(app: web.Application) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="address already in use"):
            await server.start(app, f"127.0.0.1:{taken.getsockname()[1]}")


async def test_stop_does_not_wait_for_ever_and_may_be_repeated(app: web.Application) -> None:
    running = await server.start(app, "127.0.0.1:0")
    host, _, port = running.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /never HTTP/1.1\r\nhost: mock\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0)
    await running.stop()
    await running.stop()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()

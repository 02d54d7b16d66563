"""TLS to endpoints: who is believed, what is shown, and that everything a connection carries goes through it."""

import asyncio
import json
import pickle
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from harness import OK, WAIT_S, Upstream, answering, body_of, one_route, proxy, request, say, status, upstream
from tls_cases import Authority, no_bugs, openssl_endpoint, server_context, tls_upstream, until

from tracer_proxy.config.compile import DEFAULT_MOCK_LLM, compile_table
from tracer_proxy.config.load import load_text


@pytest.fixture(autouse=True)
async def nothing_uncaught(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """Neither does the loop hear of an exception, nor does it log anything, as it does where a transport is used wrongly."""
    async with no_bugs():
        yield
    assert [record.getMessage() for record in caplog.get_records("call")] == []


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def config(endpoint: Upstream, tls: str, host: str = "127.0.0.1") -> str:
    return at_port(endpoint.port, tls, host)


def at_port(port: int, tls: str, host: str = "127.0.0.1") -> str:
    return one_route(f"https://{host}:{port}", pool=f"tls: {{{tls}}}")


def error_of(answer: bytes) -> tuple[int, str]:
    return status(answer), json.loads(body_of(answer))["error"]["message"]


async def test_a_ca_file_stands_in_for_the_systems_store(authority: Authority) -> None:
    async with tls_upstream(server_context(authority.issue("127.0.0.1")), answering(OK)) as endpoint:
        async with proxy(config(endpoint, f"ca: {authority.ca}")) as running:
            answers = [await say(running.port, request()) for _ in range(3)]
        assert [status(answer) for answer in answers] == [200] * 3
        assert endpoint.connections == 1
        async with proxy(one_route(f"https://127.0.0.1:{endpoint.port}")) as running:
            code, message = error_of(await say(running.port, request()))
    assert code == 502
    assert "its certificate is not trusted" in message


async def test_another_ca_is_not_believed(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    async with (
        tls_upstream(server_context(authority.issue("127.0.0.1")), answering(OK)) as endpoint,
        proxy(config(endpoint, f"ca: {stranger.ca}")) as running,
    ):
        code, message = error_of(await say(running.port, request("POST / HTTP/1.1", body=b"secret")))
    assert code == 502
    assert f"TLS with https://127.0.0.1:{endpoint.port} failed: its certificate is not trusted" in message
    assert endpoint.heard == []


async def test_the_certificate_must_be_for_the_host(authority: Authority) -> None:
    async with (
        tls_upstream(server_context(authority.issue("other.test")), answering(OK)) as endpoint,
        proxy(config(endpoint, f"ca: {authority.ca}", host="localhost")) as running,
    ):
        code, message = error_of(await say(running.port, request()))
    assert code == 502
    assert "Hostname mismatch" in message


async def test_server_name_is_asked_for_and_checked(authority: Authority) -> None:
    asked: list[str | None] = []
    context = server_context(authority.issue("model.test"))
    context.sni_callback = lambda _, name, __: asked.append(name)
    async with tls_upstream(context, answering(OK)) as endpoint:
        async with proxy(config(endpoint, f"ca: {authority.ca}, server_name: model.test")) as running:
            assert status(await say(running.port, request())) == 200
        async with proxy(config(endpoint, f"ca: {authority.ca}, server_name: else.test")) as running:
            code, message = error_of(await say(running.port, request()))
    assert asked[0] == "model.test"
    assert set(asked[1:]) == {"else.test"}, "once or, since a connection may be tried again, more often"
    assert code == 502
    assert "certificate is not valid for 'else.test'" in message


async def test_the_host_is_asked_for_where_no_name_is_given(authority: Authority) -> None:
    asked: list[str | None] = []
    context = server_context(authority.issue("localhost"))
    context.sni_callback = lambda _, name, __: asked.append(name)
    async with (
        tls_upstream(context, answering(OK)) as endpoint,
        proxy(config(endpoint, f"ca: {authority.ca}", host="localhost")) as running,
    ):
        assert status(await say(running.port, request())) == 200
    assert asked == ["localhost"], "the name, though the connection went to an address"


async def test_verify_false_believes_everybody(authority: Authority) -> None:
    async with (
        tls_upstream(server_context(authority.issue("other.test")), answering(OK)) as endpoint,
        proxy(config(endpoint, "verify: false")) as running,
    ):
        assert status(await say(running.port, request())) == 200


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate(authority: Authority, newest: ssl.TLSVersion) -> None:
    """In TLS 1.3 an endpoint refuses only after the connection stands."""
    context = server_context(authority.issue("127.0.0.1"), client_ca=authority.ca)
    context.maximum_version = newest
    own = authority.issue("proxy@test", file="client")
    with openssl_endpoint(context) as port:
        async with proxy(at_port(port, f"ca: {authority.ca}, cert: {own.cert}, key: {own.key}")) as running:
            assert status(await say(running.port, request())) == 200
        async with proxy(at_port(port, f"ca: {authority.ca}")) as running:
            code, message = error_of(await say(running.port, request()))
    assert code == 502
    assert "certificate required" in message or "handshake failure" in message


async def test_tls_1_1_is_refused(authority: Authority) -> None:
    context = server_context(authority.issue("127.0.0.1"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with openssl_endpoint(context) as port:
        async with proxy(at_port(port, f"ca: {authority.ca}")) as running:
            code, message = error_of(await say(running.port, request()))
    assert code == 502
    assert "alert protocol version" in message


async def test_an_endpoint_that_hangs_up_during_the_handshake() -> None:
    async def hang_up(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)

    async with upstream(hang_up) as endpoint, proxy(one_route(f"https://127.0.0.1:{endpoint.port}")) as running:
        code, message = error_of(await say(running.port, request()))
    assert code == 502
    assert message.endswith("failed: it closed the connection during the handshake.")


async def test_http_1_1_is_the_protocol_that_is_offered(authority: Authority) -> None:
    context = server_context(authority.issue("127.0.0.1"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    chosen: list[str | None] = []
    answer = answering(OK)

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chosen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await answer(endpoint, reader, writer)

    async with tls_upstream(context, handle) as endpoint, proxy(config(endpoint, f"ca: {authority.ca}")) as running:
        assert status(await say(running.port, request())) == 200
    assert chosen == ["http/1.1"]


async def test_new_content_of_a_file_is_used_for_new_connections(authority: Authority, tmp_path: Path) -> None:
    """The table of a reload carries another description, and a worker makes another context for it."""
    stranger = Authority(tmp_path, "stranger")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.ca.read_bytes())
    async with tls_upstream(server_context(authority.issue("127.0.0.1")), answering(OK)) as endpoint:
        text = config(endpoint, f"ca: {trusted}")
        async with proxy(text) as running:
            worker = running.worker
            codes = [status(await say(running.port, request()))]
            for ca in (stranger.ca, authority.ca):
                trusted.write_bytes(ca.read_bytes())
                running.reload(text)
                assert worker.connections.idle_count == 0
                codes.append(status(await say(running.port, request())))
    assert codes == [200, 502, 200]


async def test_files_that_vanish_are_told_without_their_names(authority: Authority) -> None:
    own = authority.issue("proxy@test", file="client")
    key = own.key.read_bytes()
    async with (
        tls_upstream(server_context(authority.issue("127.0.0.1")), answering(OK)) as endpoint,
        proxy(config(endpoint, f"ca: {authority.ca}, cert: {own.cert}, key: {own.key}")) as running,
    ):
        own.key.unlink()
        code, message = error_of(await say(running.port, request()))
        assert code == 500
        assert "a certificate, key or CA file cannot be loaded: no such file or directory" in message
        assert str(own.key) not in message
        own.key.write_bytes(key)
        assert status(await say(running.port, request())) == 200


async def test_what_travels_to_workers_holds_no_secret(authority: Authority) -> None:
    own = authority.issue("proxy@test", file="client")
    text = one_route("https://127.0.0.1", pool=f"tls: {{cert: {own.cert}, key: {own.key}}}")
    table = compile_table(load_text(text, "test.yaml", {}), DEFAULT_MOCK_LLM)
    told = pickle.dumps(table) + repr(table.routes[0].split.lanes[0].pool.endpoints[0].tls).encode()
    secret = own.key.read_bytes().splitlines()[1]
    assert str(own.key).encode() in told
    assert secret not in told


async def test_large_bodies_both_ways(authority: Authority) -> None:
    body = bytes(range(256)) * 40_000

    async def echo(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, sent = await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(sent) + sent)
        await writer.drain()
        await reader.read(-1)

    async with (
        tls_upstream(server_context(authority.issue("127.0.0.1")), echo) as endpoint,
        proxy(config(endpoint, f"ca: {authority.ca}")) as running,
    ):
        answer = await say(running.port, request("POST / HTTP/1.1", body=body))
    assert body_of(answer) == body


async def test_a_stream_arrives_piece_by_piece(authority: Authority) -> None:
    go_on = asyncio.Semaphore(0)

    async def stream(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            writer.write(b"7\r\ndata: %d\r\n" % number)
            await go_on.acquire()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with (
        tls_upstream(server_context(authority.issue("127.0.0.1")), stream) as endpoint,
        proxy(config(endpoint, f"ca: {authority.ca}")) as running,
        asyncio.timeout(WAIT_S),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(request(close=False))
        for number in range(5):
            await reader.readuntil(b"data: %d" % number)
            go_on.release()
        await reader.readuntil(b"0\r\n\r\n")
        writer.close()


async def test_a_body_that_ends_with_the_connection(authority: Authority) -> None:
    """A proper close of TLS is an end; a connection that just breaks off is none (RFC 9112 9.8)."""
    breaks_off = False

    async def until_close(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nsome")
        await writer.drain()
        if breaks_off:
            await asyncio.sleep(0.1)
            writer.transport.abort()

    async with (
        tls_upstream(server_context(authority.issue("127.0.0.1")), until_close) as endpoint,
        proxy(config(endpoint, f"ca: {authority.ca}")) as running,
    ):
        whole = await say(running.port, request())
        breaks_off = True
        broken = await say(running.port, request())
    assert body_of(whole).endswith(b"4\r\nsome\r\n0\r\n\r\n")
    assert body_of(broken).endswith(b"4\r\nsome\r\n")


async def test_websocket(authority: Authority) -> None:
    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(authority.issue("127.0.0.1"))).start()
    text = one_route(f"https://127.0.0.1:{runner.addresses[0][1]}", pool=f"tls: {{ca: {authority.ca}}}")
    try:
        async with (
            proxy(text) as running,
            aiohttp.ClientSession() as session,
            session.ws_connect(running.url, max_msg_size=0) as client,
        ):
            for size in (1, 70_000, 5_000_000):
                await client.send_bytes(b"x" * size)
                assert len(await client.receive_bytes()) == size
            await client.close()
            assert client.close_code == 1000
            await until(lambda: not running.worker.tunnels)
    finally:
        await runner.cleanup()


async def test_an_endpoint_that_accepts_and_never_shakes_hands() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = one_route(f"https://127.0.0.1:{silent.getsockname()[1]}", route="timeouts: {connect: 200ms}")
        async with proxy(text) as running:
            answer = await say(running.port, request())
            assert status(answer) == 504
            assert not running.worker.upstreams


async def test_an_endpoint_that_closes_a_kept_connection_is_dialled_anew(authority: Authority) -> None:
    async def once(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(OK)
        await writer.drain()

    async with (
        tls_upstream(server_context(authority.issue("127.0.0.1")), once) as endpoint,
        proxy(config(endpoint, f"ca: {authority.ca}")) as running,
    ):
        for _ in range(5):
            assert status(await say(running.port, request())) == 200
        await until(lambda: not running.worker.upstreams)
    assert endpoint.connections == 5

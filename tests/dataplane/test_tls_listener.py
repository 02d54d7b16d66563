"""TLS on the proxy's own port: certificates change under open connections, and bad clients cost nothing."""

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
from harness import (
    OK,
    WAIT_S,
    Proxy,
    Upstream,
    answering,
    body_of,
    connection,
    field,
    one_route,
    proxy,
    request,
    say,
    status,
    upstream,
)
from tls_cases import Authority, Pair, client_context, no_bugs, tls_connection, tls_say, until

from tracer_proxy.config.compile import compile_settings
from tracer_proxy.config.load import load_text
from tracer_proxy.dataplane import worker as worker_module
from tracer_proxy.dataplane.tls import CannotLoadFiles


@pytest.fixture(autouse=True)
async def nothing_uncaught(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """Neither does the loop hear of an exception, nor does it log anything, as it does where a transport is used wrongly."""
    async with no_bugs():
        yield
    assert [record.getMessage() for record in caplog.get_records("call")] == []


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def config(url: str, pair: Pair, more: str = "", *, route: str = "", listener: str = "") -> str:
    tls = f"tls: {{cert: {pair.cert}, key: {pair.key}{', ' + more if more else ''}}}"
    return one_route(url, listener=tls + (f", {listener}" if listener else ""), route=route)


def reload(running: Proxy, text: str) -> None:
    """What a reload does in a worker."""
    tls = pickle.loads(pickle.dumps(compile_settings(load_text(text, "test.yaml", {}).proxy).tls))
    assert running.worker.server_tls is not None
    running.worker.server_tls.reload(tls)


async def serial(port: int, context: ssl.SSLContext) -> str:
    """Of the certificate that the proxy shows to whoever comes now."""
    async with tls_connection(port, context) as (_, writer):
        return str(writer.get_extra_info("peercert")["serialNumber"])


async def is_answered(running: Proxy, context: ssl.SSLContext) -> bool:
    try:
        return status(await tls_say(running.port, context, request())) == 200
    except OSError:
        return False


async def test_requests_and_what_endpoints_hear_of_them(authority: Authority) -> None:
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(config(endpoint.url, authority.issue("127.0.0.1"))) as running,
    ):
        answer = await tls_say(running.port, client_context(authority.ca), request())
        assert status(answer) == 200
        assert field(endpoint.heard[0], "x-forwarded-proto") == b"https"
        assert field(endpoint.heard[0], "x-forwarded-for") == b"127.0.0.1"
        told = request("GET / HTTP/1.1", "X-Forwarded-Proto: http", "X-Forwarded-For: 10.0.0.1")
        await tls_say(running.port, client_context(authority.ca), told)
    assert field(endpoint.heard[1], "x-forwarded-proto") == b"http", "a trusted proxy in front knows better"


async def test_without_tls_the_scheme_is_http() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        await say(running.port, request())
    assert field(endpoint.heard[0], "x-forwarded-proto") == b"http"


async def test_kept_connections_and_pipelining(authority: Authority) -> None:
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(config(endpoint.url, authority.issue("127.0.0.1"))) as running,
    ):
        pipelined = request(close=False) * 20 + request()
        answer = await tls_say(running.port, client_context(authority.ca), pipelined)
        assert answer.count(b"HTTP/1.1 200 OK") == 21
        await until(lambda: not running.worker.downstreams)


async def test_a_unix_socket_beside_it_stays_without(authority: Authority, tmp_path: Path) -> None:
    pair, path = authority.issue("127.0.0.1"), tmp_path / "proxy.sock"
    async with upstream(answering(OK)) as endpoint:
        text = config(endpoint.url, pair).replace("127.0.0.1:0", f"[127.0.0.1:0, 'unix:{path}']")
        async with proxy(text) as running:
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(request())
            assert status(await reader.read(-1)) == 200
            writer.close()
            assert status(await tls_say(running.port, client_context(authority.ca), request())) == 200
    assert [field(head, "x-forwarded-proto") for head in endpoint.heard] == [b"http", b"https"]


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_clients_must_show_a_certificate(authority: Authority, tmp_path: Path, newest: ssl.TLSVersion) -> None:
    clients = Authority(tmp_path, "clients")
    text = config("http://127.0.0.1:9", authority.issue("127.0.0.1"), f"client_ca: {clients.ca}")
    async with upstream(answering(OK)) as endpoint, proxy(text.replace("http://127.0.0.1:9", endpoint.url)) as running:
        good, stranger = clients.issue("agent@test", file="agent"), authority.issue("agent@test", file="stranger")
        answered = []
        for pair in (good, None, stranger):
            context = client_context(authority.ca, pair)
            context.maximum_version = newest
            answered.append(await is_answered(running, context))
        assert answered == [True, False, False]
        assert len(endpoint.heard) == 1
        await until(lambda: not running.worker.downstreams)


async def test_a_rule_looks_at_the_certificate_that_the_client_has_shown(authority: Authority, tmp_path: Path) -> None:
    clients = Authority(tmp_path, "clients")
    async with upstream(answering(OK)) as endpoint:
        text = config(endpoint.url, authority.issue("127.0.0.1"), f"client_ca: {clients.ca}")
        rule = "coloring: [{color: partner, when: {certificate: {prefix: agent@}}}]\n"
        async with proxy(text + rule) as running:
            for name in ("agent@test", "other@test"):
                await is_answered(running, client_context(authority.ca, clients.issue(name, file=name)))
    assert [b"x-traffic-color: partner" in head for head in endpoint.heard] == [True, False]


async def test_a_new_certificate_under_an_open_stream(authority: Authority) -> None:
    """New handshakes see it, the stream goes on, and files that are no good change nothing."""
    pair, go_on = authority.issue("127.0.0.1"), asyncio.Event()

    async def stream(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await go_on.wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")
        await writer.drain()

    context = client_context(authority.ca)
    async with upstream(stream) as endpoint:
        text = config(endpoint.url, pair)
        async with proxy(text) as running, tls_connection(running.port, context) as (reader, writer):
            writer.write(request(close=False))
            await reader.readuntil(b"first\r\n")
            before = await serial(running.port, context)
            authority.issue("127.0.0.1")
            reload(running, text)
            after = await serial(running.port, context)
            assert after != before
            described = compile_settings(load_text(text, "test.yaml", {}).proxy).tls
            assert described is not None
            pair.key.write_text("no key")
            assert running.worker.server_tls is not None
            with pytest.raises(CannotLoadFiles):
                running.worker.server_tls.reload(described)
            assert await serial(running.port, context) == after
            go_on.set()
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"4\r\nlast\r\n")


async def test_a_client_ca_that_was_taken_away_is_believed_no_more(authority: Authority, tmp_path: Path) -> None:
    old, new, pair = Authority(tmp_path, "old"), Authority(tmp_path, "new"), authority.issue("127.0.0.1")
    before, after = (client_context(authority.ca, ca.issue("agent@test")) for ca in (old, new))
    async with upstream(answering(OK)) as endpoint, proxy(config(endpoint.url, pair, f"client_ca: {old.ca}")) as running:
        assert [await is_answered(running, context) for context in (before, after)] == [True, False]
        reload(running, config(endpoint.url, pair, f"client_ca: {new.ca}"))
        assert [await is_answered(running, context) for context in (before, after)] == [False, True]


@pytest.mark.parametrize("sent", [request(), b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\0" * 100, b""], ids=str)
async def test_what_is_no_handshake_ends_quietly(authority: Authority, sent: bytes) -> None:
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(config(endpoint.url, authority.issue("127.0.0.1"))) as running,
    ):
        async with connection(running.port) as (reader, writer):
            writer.write(sent)
            writer.write_eof()
            async with asyncio.timeout(WAIT_S):
                answer = await reader.read(-1)
        assert not answer.startswith(b"HTTP")
        assert endpoint.heard == []
        assert not running.worker.downstreams
        assert status(await tls_say(running.port, client_context(authority.ca), request())) == 200


async def test_a_handshake_has_its_time(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "TLS_HANDSHAKE_S", 0.2)
    text = config("http://127.0.0.1:9", authority.issue("127.0.0.1"))
    async with proxy(text) as running, connection(running.port) as (reader, writer):
        writer.write(b"\x16\x03")
        async with asyncio.timeout(WAIT_S):
            assert await reader.read(-1) == b""


async def test_a_connection_too_many_is_told_so(authority: Authority) -> None:
    text = config("http://127.0.0.1:9", authority.issue("127.0.0.1"), listener="limits: {connections: 1}")
    context = client_context(authority.ca)
    async with proxy(text) as running, tls_connection(running.port, context):
        await until(lambda: len(running.worker.downstreams) == 1)
        assert status(await tls_say(running.port, context)) == 503


async def test_failed_handshakes_leave_nothing(authority: Authority) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with proxy(config("http://127.0.0.1:9", authority.issue("127.0.0.1"))) as running:
        before = descriptors()
        for number in range(100):
            async with connection(running.port) as (reader, writer):
                writer.write(b"no handshake")
                if number % 2:
                    await reader.read(-1)
        await until(lambda: descriptors() <= before)


async def test_large_bodies_both_ways(authority: Authority) -> None:
    body = bytes(range(256)) * 40_000

    async def echo(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, sent = await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(sent) + sent)
        await writer.drain()
        await reader.read(-1)

    async with upstream(echo) as endpoint, proxy(config(endpoint.url, authority.issue("127.0.0.1"))) as running:
        answer = await tls_say(running.port, client_context(authority.ca), request("POST / HTTP/1.1", body=body))
    assert body_of(answer) == body


@pytest.mark.parametrize("size", [200_000, 3_000_000])
async def test_an_early_answer_reaches_a_client_that_still_sends(authority: Authority, size: int) -> None:
    """The body is over the limit, so it is refused at its head while the client goes on sending it."""
    text = config("http://127.0.0.1:9", authority.issue("127.0.0.1"), route="limits: {request_body: 1KiB}")
    async with proxy(text) as running:
        sent = request("POST / HTTP/1.1", body=b"x" * size, close=False)
        answer = await tls_say(running.port, client_context(authority.ca), sent)
        assert status(answer) == 413
        assert json.loads(body_of(answer))["error"]["kind"] == "body_too_large"
        await until(lambda: not running.worker.downstreams)


async def test_a_client_that_does_not_close_is_closed(authority: Authority) -> None:
    """TLS waits for the other side's goodbye; the proxy does not wait for ever."""
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(config(endpoint.url, authority.issue("127.0.0.1"))) as running,
    ):

        def deaf() -> tuple[socket.socket, ssl.SSLSocket]:
            raw = socket.create_connection(("127.0.0.1", running.port))
            return raw, client_context(authority.ca).wrap_socket(raw, server_hostname="127.0.0.1")

        _, client = await asyncio.to_thread(deaf)
        await asyncio.to_thread(client.sendall, request())
        await until(lambda: len(endpoint.heard) == 1)
        await until(lambda: not running.worker.downstreams)
        assert status(await asyncio.to_thread(client.recv, 1000)) == 200
        client.close()


async def test_slow_readers_get_all_of_a_complete_answer(authority: Authority) -> None:
    body = b"x" * 3_000_000

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        await reader.read(-1)

    async with upstream(handle) as endpoint:
        pair = authority.issue("127.0.0.1")
        text = config(endpoint.url, pair, route="timeouts: {idle: 300ms}")
        async with proxy(text) as running:
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.setblocking(False)
            await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", running.port))
            reader, writer = await asyncio.open_connection(
                sock=raw, ssl=client_context(authority.ca), server_hostname="127.0.0.1", limit=1000
            )
            writer.write(request())
            received = b""
            async with asyncio.timeout(3 * WAIT_S):
                while piece := await reader.read(30_000):
                    received += piece
                    await asyncio.sleep(0.01)
            writer.close()
    assert len(body_of(received)) == len(body)


async def test_an_endpoint_that_breaks_off_is_seen_to(authority: Authority) -> None:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
        await writer.drain()

    async with upstream(handle) as endpoint, proxy(config(endpoint.url, authority.issue("127.0.0.1"))) as running:
        answer = await tls_say(running.port, client_context(authority.ca), request(close=False))
        assert body_of(answer) == b"some"
        await until(lambda: not running.worker.downstreams)


@pytest.mark.parametrize("ends", ["client", "endpoint"])
async def test_websocket(authority: Authority, ends: str) -> None:
    async def serve(request: web.Request) -> web.WebSocketResponse:
        served = web.WebSocketResponse(max_msg_size=0)
        await served.prepare(request)
        async for message in served:
            if message.data == "leave":
                await served.close(code=4001)
            else:
                await served.send_bytes(message.data)
        return served

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    text = config(f"http://127.0.0.1:{runner.addresses[0][1]}", authority.issue("127.0.0.1"))
    try:
        async with (
            proxy(text) as running,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_context(authority.ca))) as session,
            session.ws_connect(f"wss://127.0.0.1:{running.port}", max_msg_size=0) as client,
        ):
            for size in (1, 70_000, 5_000_000):
                await client.send_bytes(b"x" * size)
                assert len(await client.receive_bytes()) == size
            if ends == "client":
                await client.close()
            else:
                await client.send_str("leave")
                assert (await client.receive()).data == 4001
            await until(lambda: not running.worker.tunnels)
    finally:
        await runner.cleanup()

"""Endpoints behind TLS: checked against the system's certificates, and clear words where the check fails."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from harness import OK, Upstream, answering, body_of, field, one_route, proxy, request, say, status, upstream

PEM = Path(__file__).with_name("self_signed.pem")


@asynccontextmanager
async def tls_endpoint(address: str = "127.0.0.1") -> AsyncIterator[Upstream]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    answer = answering(OK)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(endpoint, reader, writer)

    endpoint = Upstream(handle)
    server = await asyncio.start_server(endpoint._serve, address, 0, ssl=context)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()


async def test_a_certificate_that_nobody_signed_is_refused_in_clear_words() -> None:
    async with tls_endpoint() as endpoint, proxy(one_route(f"https://127.0.0.1:{endpoint.port}")) as running:
        answer = await say(running.port, request("POST / HTTP/1.1", body=b"secret"))
    error = json.loads(body_of(answer))["error"]
    assert (status(answer), error["kind"], error["side"]) == (502, "upstream_unreachable", "upstream")
    assert f"https://127.0.0.1:{endpoint.port}" in error["message"]
    assert "self-signed certificate" in error["message"].replace("self signed", "self-signed")
    assert endpoint.heard == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_that_the_system_trusts_is_enough(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    async with tls_endpoint() as endpoint, proxy(one_route(f"https://{host}:{endpoint.port}")) as running:
        answers = [await say(running.port, request("POST / HTTP/1.1", body=b"x" * 100_000)) for _ in range(3)]
    assert [status(answer) for answer in answers] == [200] * 3
    assert endpoint.bodies == [b"x" * 100_000] * 3
    assert endpoint.connections == 1, "a connection that was checked is kept"
    assert field(endpoint.heard[0], "host") == f"{host}:{endpoint.port}".encode()


async def test_a_certificate_for_another_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback address 127.0.0.2 is not in it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    async with tls_endpoint("127.0.0.2") as endpoint, proxy(one_route(f"https://127.0.0.2:{endpoint.port}")) as running:
        answer = await say(running.port, request())
    assert status(answer) == 502
    assert b"IP address mismatch" in answer


async def test_an_endpoint_that_speaks_no_tls() -> None:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with upstream(handle) as plain, proxy(one_route(plain.url.replace("http:", "https:"))) as running:
        answer = await say(running.port, request())
    error = json.loads(body_of(answer))["error"]
    assert (status(answer), error["kind"]) == (502, "upstream_unreachable")
    assert "wrong version number" in error["message"]

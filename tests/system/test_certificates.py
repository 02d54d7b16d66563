"""Certificates that change, vanish and come back while the proxy runs, by the command as a user starts it."""

import asyncio
import os
import signal
import ssl
from pathlib import Path

import pytest
from harness import OK, WAIT_S, answering, one_route, request, say, status
from proxy_process import ProxyProcess, running_file
from tls_cases import Authority, server_context, tls_upstream

ADMIN = "admin: {listen: 127.0.0.1:0}"


async def name_shown(running: ProxyProcess) -> str:
    """Of the certificate that the listener shows; empty when there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(WAIT_S):
            _, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
    except OSError:
        return ""
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return next((name for name in ("one.test", "two.test") if name.encode() in shown), "another")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def listening_with_tls(authority: Authority, folder: Path) -> tuple[Path, Path]:
    pair = authority.issue("one.test", file="listener")
    config = one_route("http://127.0.0.1:1", top=ADMIN, listener=f"tls: {{cert: {pair.cert}, key: {pair.key}}}")
    path = folder / "proxy.yaml"
    path.write_text(config)
    return path, pair.cert


async def test_a_new_certificate_of_the_listener_is_shown_without_a_restart(authority: Authority, tmp_path: Path) -> None:
    path, _ = listening_with_tls(authority, tmp_path)
    async with running_file(path) as running:
        assert await name_shown(running) == "one.test"
        authority.issue("two.test", file="listener")
        await running.event("reloaded")
        assert await name_shown(running) == "two.test"


async def test_a_new_ca_of_a_pool_is_used(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(stranger.ca.read_bytes())
    async with tls_upstream(server_context(authority.issue("127.0.0.1")), answering(OK)) as endpoint:
        path = tmp_path / "proxy.yaml"
        path.write_text(one_route(f"https://127.0.0.1:{endpoint.port}", top=ADMIN, pool=f"tls: {{ca: {trusted}}}"))
        async with running_file(path) as running:
            assert status(await say(running.port, request())) == 502
            trusted.write_bytes(authority.ca.read_bytes())
            await running.event("reloaded")
            assert status(await say(running.port, request())) == 200


async def test_a_file_that_comes_later_puts_the_refused_config_into_force(authority: Authority, tmp_path: Path) -> None:
    path, later = tmp_path / "proxy.yaml", tmp_path / "later.pem"
    async with tls_upstream(server_context(authority.issue("127.0.0.1")), answering(OK)) as endpoint:
        path.write_text(one_route("http://127.0.0.1:1"))
        async with running_file(path) as running:
            path.write_text(one_route(f"https://127.0.0.1:{endpoint.port}", pool=f"tls: {{ca: {later}}}"))
            await running.event("reload_failed")
            later.write_bytes(authority.ca.read_bytes())
            await running.event("reloaded")
            assert status(await say(running.port, request())) == 200


async def test_control_and_workers_come_back_though_a_certificate_is_missing(authority: Authority, tmp_path: Path) -> None:
    path, cert = listening_with_tls(authority, tmp_path)
    async with running_file(path) as running:
        gone = cert.rename(tmp_path / "gone.pem")
        await running.event("reload_failed")
        os.kill(await running.pid_of("control"), signal.SIGKILL)
        await running.event("control_restarted")
        assert await name_shown(running) == "one.test", "the worker has what it needs"
        os.kill(await running.pid_of("worker 1"), signal.SIGKILL)
        await running.event("worker_cannot_listen")
        code, shown = await running.ask("/readyz")
        assert (code, shown["status"]) == (503, "no worker is ready")
        gone.rename(cert)
        async with asyncio.timeout(WAIT_S):
            while (await running.ask("/readyz"))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await name_shown(running) == "one.test"

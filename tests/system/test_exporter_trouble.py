"""A collector that is gone, slow or refuses is never felt by traffic; what it does not take is counted."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession
from harness import OK, answering, one_route, upstream
from otlp_receiver import OtlpReceiver
from prometheus_client.parser import text_string_to_metric_families
from proxy_process import ProxyProcess, proxy_process

EXCHANGES = 300
"""With two spans each."""


async def drive(proxy: ProxyProcess) -> None:
    """All exchanges are answered."""
    async with ClientSession() as session:
        for _ in range(EXCHANGES):
            async with session.get(proxy.url) as answer:
                assert (answer.status, await answer.read()) == (200, b"ok")


async def total(proxy: ProxyProcess, name: str) -> float:
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{proxy.admin_port}/metrics") as answer:
        text = await answer.text()
    families = text_string_to_metric_families(text)
    return sum(each.value for family in families for each in family.samples if each.name == f"tracer_proxy_{name}_total")


@pytest.mark.parametrize("trouble", ["gone", "slow", "refuses"])
async def test_traffic_goes_on_and_what_is_lost_is_counted(trouble: str, tmp_path: Path) -> None:
    receiver = OtlpReceiver(status=400 if trouble == "refuses" else 200, delay_s=3600.0 if trouble == "slow" else 0.0)
    async with AsyncExitStack() as stack:
        await receiver.start()
        stack.push_async_callback(receiver.stop)
        if trouble == "gone":
            await receiver.stop()
        endpoint = await stack.enter_async_context(upstream(answering(OK)))
        top = f"""
            admin: {{listen: 127.0.0.1:0}}
            tracing: {{exporter: otlp, endpoint: "{receiver.endpoint}", timeout: 500ms}}
            """
        proxy = await stack.enter_async_context(proxy_process(one_route(endpoint.url, top=top), tmp_path))
        await drive(proxy)
        async with asyncio.timeout(60):
            while not await total(proxy, "export_failures"):  # noqa: ASYNC110 — a counter has no event
                await asyncio.sleep(0.1)
        # Nothing was lost on the way to the exporter, and another round goes as well.
        assert await total(proxy, "records_dropped") == 0
        await drive(proxy)
        # It ends, though what waits cannot be sent.
        assert (await proxy.ask("/api/drain", "POST"))[0] == 202
        assert await proxy.exit_code() == 0


async def test_what_waited_is_sent_when_the_collector_is_back(tmp_path: Path) -> None:
    receiver = OtlpReceiver()
    await receiver.start()
    await receiver.stop()
    async with upstream(answering(OK)) as endpoint:
        top = f"""
            admin: {{listen: 127.0.0.1:0}}
            tracing: {{exporter: otlp, endpoint: "{receiver.endpoint}"}}
            """
        async with proxy_process(one_route(endpoint.url, top=top), tmp_path) as proxy:
            await drive(proxy)
            await proxy.event("export_failing")
            await receiver.start()
            try:
                await receiver.spans_of(2 * EXCHANGES)
                await proxy.event("export_works")
            finally:
                await receiver.stop()
            assert await total(proxy, "spans_exported") == 2 * EXCHANGES
            assert await total(proxy, "spans_dropped") == 0

"""What /metrics says after real traffic, and that it survives who dies."""

import asyncio
import os
import signal
from pathlib import Path

from aiohttp import ClientSession
from harness import OK, answering, one_route, request, say, upstream
from prometheus_client.parser import text_string_to_metric_families
from proxy_process import ProxyProcess, config_file, proxy_process, running_file

TOP = """
admin: {listen: 127.0.0.1:0}
coloring: [{color: blue, when: {header: {x-blue: "1"}}}]
"""
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"


class Samples:
    def __init__(self, text: str) -> None:
        self._found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def get(self, name: str, **labels: str) -> float:
        """The sum over all series of that name that have these labels."""
        return sum(each.value for each in self._found if each.name == name and labels.items() <= each.labels.items())


async def scraped(running: ProxyProcess) -> Samples:
    url = f"http://127.0.0.1:{running.admin_port}/metrics"
    async with ClientSession() as session, session.get(url) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return Samples(await answer.text())


async def test_exchanges_attempts_and_errors_are_counted_where_they_belong(tmp_path: Path) -> None:
    route = "retries: {on: [503], backoff: 1ms}"
    async with (
        upstream(answering(BUSY, OK)) as endpoint,
        proxy_process(one_route(endpoint.url, top=TOP, route=route), tmp_path) as running,
    ):
        await say(running.port, request(close=False) + request("POST / HTTP/1.1", "x-blue: 1", body=b"hello"))
        await say(running.port, b"nonsense\r\n\r\n")
        found = await scraped(running)
    lane = {"route": "all", "lane": "only"}
    at_endpoint = {"pool": "only", "endpoint": endpoint.url}
    assert found.get("tracer_proxy_exchanges_total", status="200", color="", **lane) == 1
    assert found.get("tracer_proxy_exchanges_total", status="200", color="other", **lane) == 0
    assert found.get("tracer_proxy_exchanges_total", status="200", color="blue", **lane) == 1
    assert found.get("tracer_proxy_exchanges_total", status="400", route="") == 1
    assert found.get("tracer_proxy_errors_total", kind="malformed") == 1
    assert found.get("tracer_proxy_lane_fallbacks_total", **lane) == 1
    assert found.get("tracer_proxy_request_body_bytes_total", **lane) == 5
    assert found.get("tracer_proxy_response_body_bytes_total", **lane) == 4
    assert found.get("tracer_proxy_exchange_duration_seconds_count", **lane) == 2
    assert found.get("tracer_proxy_exchange_first_byte_seconds_count", **lane) == 2
    assert found.get("tracer_proxy_upstream_attempts_total", outcome="ok", **at_endpoint) == 2
    assert found.get("tracer_proxy_upstream_attempts_total", outcome="status_5xx", **at_endpoint) == 1
    assert found.get("tracer_proxy_upstream_retries_total", **at_endpoint) == 1
    assert found.get("tracer_proxy_upstream_connections_opened_total", **at_endpoint) == 1
    assert found.get("tracer_proxy_upstream_connections_reused_total", **at_endpoint) == 2
    assert found.get("tracer_proxy_upstream_pending", **at_endpoint) == 0
    assert found.get("tracer_proxy_connections_accepted_total") == 2
    assert found.get("tracer_proxy_ready") == 1
    assert found.get("tracer_proxy_build_info") == 1


async def test_counts_survive_the_death_of_control_and_of_a_worker(tmp_path: Path) -> None:
    async with upstream(answering(OK)) as endpoint, proxy_process(one_route(endpoint.url, top=TOP), tmp_path) as running:
        for expected, victim in enumerate(("control", "worker 1", "control"), 1):
            await say(running.port, request())
            assert (await scraped(running)).get("tracer_proxy_exchanges_total") == expected
            os.kill(await running.pid_of(victim), signal.SIGKILL)
            await running.event("process_ended")
        found = await scraped(running)
        # Control hears of the last death by the supervisor's own word.
        await asyncio.sleep(0.1)
        running.send(signal.SIGTERM)
        assert (await running.event("stopped"))["exchanges"] == 3
    assert found.get("tracer_proxy_process_restarts_total", process="control") == 2
    assert found.get("tracer_proxy_process_restarts_total", process="worker") == 1


async def test_reloads_are_counted_and_a_failure_is_seen(tmp_path: Path) -> None:
    async with upstream(answering(OK)) as endpoint:
        config = one_route(endpoint.url, top=TOP)
        path = config_file(config, tmp_path)
        async with running_file(path) as running:
            path.write_text("version: 2")
            await running.event("reload_failed")
            broken = await scraped(running)
            path.write_text(config.replace("only", "other"))
            await running.event("reloaded")
            mended = await scraped(running)
    assert broken.get("tracer_proxy_config_last_reload_successful") == 0
    assert broken.get("tracer_proxy_reloads_total", outcome="failed") == 1
    assert mended.get("tracer_proxy_config_last_reload_successful") == 1
    assert mended.get("tracer_proxy_reloads_total", outcome="ok") == 1

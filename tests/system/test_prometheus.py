"""A real Prometheus server scrapes a real proxy, and says what it has understood. ``make test-prometheus`` installs it."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, web
from harness import OK, answering, one_route, request, say, upstream
from providers import IdStyle
from proxy_process import START_S, proxy_process
from traced import clients, stage

from tracer_proxy.genai.answered import Usage
from tracer_proxy.telemetry.deltas import Meters
from tracer_proxy.telemetry.exposition import exposition
from tracer_proxy.telemetry.reference import render
from tracer_proxy.telemetry.totals import Totals

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="there is no Prometheus here; `make test-prometheus` installs it"
)
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ADMIN = "admin: {listen: 127.0.0.1:0}"


class Server:
    """Its HTTP API."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    async def ask(self, path: str, **parameters: str) -> Any:
        async with ClientSession() as session, session.get(f"{self._url}/api/v1/{path}", params=parameters) as answer:
            document = await answer.json()
        assert document["status"] == "success", document
        return document["data"]

    async def value(self, expression: str) -> float:
        """Of an expression with one result, when there is one."""
        (found,) = await _first(lambda: self.ask("query", query=expression), "result")
        return float(found["value"][1])

    async def exemplars(self, query: str) -> list[Any]:
        """Of each series that has any: its labels, and its exemplars."""
        now = time.time()  # noqa: TID251 — a time of day, as the API wants it
        asked = {"query": query, "start": str(now - 600), "end": str(now + 600)}
        return list(await _first(lambda: self.ask("query_exemplars", **asked)))

    async def is_ready(self) -> bool:
        try:
            async with ClientSession() as session, session.get(f"{self._url}/-/ready") as answer:
                return answer.status == 200
        except ClientError:
            return False


async def _first(ask: Callable[[], Awaitable[Any]], key: str = "") -> Any:
    """The first answer that is not empty."""
    async with asyncio.timeout(START_S):
        while True:
            answer = await ask()
            if found := answer[key] if key else answer:
                return found
            await asyncio.sleep(0.1)


@asynccontextmanager
async def prometheus(target_port: int, folder: Path) -> AsyncIterator[Server]:
    """Scrapes the port twice a second until the block ends."""
    assert PROMETHEUS is not None
    config = folder / "prometheus.yml"
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
                "scrape_configs": [{"job_name": "tracer-proxy", "static_configs": [{"targets": [f"127.0.0.1:{target_port}"]}]}],
            }
        )
    )
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        PROMETHEUS,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    server = Server(port)
    try:
        await _first(server.is_ready)
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def shown(totals: Totals) -> AsyncIterator[int]:
    """The port at which these totals are shown as control shows its own."""

    async def metrics(request: web.Request) -> web.Response:
        body, content_type = exposition(totals, request.headers.get("accept", ""))
        return web.Response(body=body, headers={"content-type": content_type})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def one_model_call() -> Totals:
    """A sampled call of a model with 1 200 tokens in and 80 out, which took 1.5 seconds."""
    source, totals = Meters("run"), Totals()
    source.load([], [], [], ["/v1"], [("api.openai.com", 443)])
    ids = (TRACE_ID.encode(), SPAN_ID.encode())
    source.http_route("/v1").done(b"POST", 200, "", False, True, 1.5, *ids)
    source.server("api.openai.com", 443).done(b"POST", 200, "", 1.5, *ids)
    call = ("chat", "openai", "gpt-4o-mini", "gpt-4o-mini", "api.openai.com", 443)
    source.gen_ai.done(*call, "", 1.5, Usage(1200, 80), 0.3, [0.1], *ids)
    totals.add("0", source.take(time.time()))  # noqa: TID251 — Prometheus takes no exemplar of long ago
    return totals


@needs_prometheus
async def test_prometheus_scrapes_a_proxy(tmp_path: Path) -> None:
    """In OpenMetrics, which it asks for; and what it has is what was sent."""
    async with (
        upstream(answering(OK)) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN), tmp_path) as running,
    ):
        for _ in range(5):
            await say(running.port, request("POST / HTTP/1.1", body=b"hello"))
        async with prometheus(running.admin_port, tmp_path) as server:
            assert await server.value('tracer_proxy_exchanges_total{route="all",lane="only",status="200"} >= 5') == 5
            assert await server.value("up") == 1
            assert await server.value("tracer_proxy_ready") == 1
            assert await server.value("tracer_proxy_request_body_bytes_total") == 25
            duration = "tracer_proxy_exchange_duration_seconds"
            assert await server.value(f'{duration}_bucket{{le="+Inf"}}') == 5
            assert 0 < await server.value(f"histogram_quantile(0.5, sum by (le) ({duration}_bucket))") < 600
            known = {each["type"] for each in (await server.ask("metadata", metric=duration))[duration]}
            target = (await server.ask("targets"))["activeTargets"][0]
    assert known == {"histogram"}
    assert target["lastError"] == ""


@needs_prometheus
async def test_prometheus_finds_the_trace_of_a_bucket(tmp_path: Path) -> None:
    """The conventions' series arrive with their labels, and each has an exemplar that names the trace and the span."""
    async with shown(one_model_call()) as port, prometheus(port, tmp_path) as server:
        call = 'gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini"'
        assert await server.value(f'gen_ai_client_token_usage_sum{{{call},gen_ai_token_type="input"}}') == 1200
        assert await server.value(f"gen_ai_client_operation_duration_seconds_sum{{{call}}}") == 1.5
        assert await server.value('http_client_request_duration_seconds_bucket{server_address="api.openai.com",le="2.5"}') == 1
        for name, bound in (
            ("http_server_request_duration_seconds", "2.5"),
            ("http_client_request_duration_seconds", "2.5"),
            ("gen_ai_client_operation_duration_seconds", "2.56"),
        ):
            (found,) = await server.exemplars(f"{name}_bucket")
            assert found["seriesLabels"]["le"] == bound
            (exemplar,) = found["exemplars"]
            assert exemplar["labels"] == {"trace_id": TRACE_ID, "span_id": SPAN_ID}
            assert exemplar["value"] == "1.5"
        assert (await server.exemplars('http_server_request_duration_seconds_bucket{http_route="/v1"}'))[0]["exemplars"]


@needs_prometheus
async def test_exemplars_lead_to_traces_that_were_exported(tmp_path: Path) -> None:
    noted: list[str] = []
    async with stage(tmp_path, IdStyle.RANDOM) as running, clients(running.proxy.url, noted.append) as made:
        await made.agent("chat", IdStyle.RANDOM, stream=True).turn("To Oslo!")
        await running.receiver.wait_for(lambda receiver: noted[0] in receiver.trees())
        async with prometheus(running.proxy.admin_port, tmp_path) as server:
            for name in ("gen_ai_client_operation_duration", "http_server_request_duration"):
                found = await server.exemplars(f"{name}_seconds_bucket")
                told = {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}
                assert told == {noted[0]}


@needs_prometheus
def test_promtool_has_nothing_to_say() -> None:
    """On names, units and helps."""
    text, _ = exposition(one_model_call(), "")
    assert promtool(text, "check", "metrics") == ""


@needs_prometheus
def test_alerts_of_the_page_are_expressions(tmp_path: Path) -> None:
    rows = re.findall(r"^\| ([^|`]+) \| `(.+)` \| (\d+[mh]) \|$", render(), re.MULTILINE)
    assert len(rows) > 10
    rules = [{"alert": what.strip(), "expr": expression, "for": wait} for what, expression, wait in rows]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "tracer-proxy", "rules": rules}]}))
    assert f"{len(rows)} rules found" in promtool(b"", "check", "rules", str(file))


def promtool(text: bytes, *arguments: str) -> str:
    assert PROMTOOL is not None
    found = subprocess.run([PROMTOOL, *arguments], input=text, capture_output=True, check=False, timeout=START_S)
    said = (found.stdout + found.stderr).decode()
    assert found.returncode == 0, said
    return said

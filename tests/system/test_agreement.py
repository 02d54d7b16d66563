"""Metrics, log and spans of the same exchanges say the same: all are made of what a worker saw."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from harness import Upstream, upstream
from otlp_receiver import OtlpReceiver, otlp_receiver
from prometheus_client.parser import text_string_to_metric_families
from proxy_process import ProxyProcess, proxy_process

pytestmark = pytest.mark.timeout(240)
EXCHANGES = 10_000
CLIENTS = 8
SHOWN_BY_SPANS = {
    "http.route": "http_route",
    "http.response.status_code": "http_response_status_code",
    "error.type": "error_type",
}

CONFIG = """
version: 1
proxy: {{listen: 127.0.0.1:0, workers: 2}}
admin: {{listen: 127.0.0.1:0}}
tracing: {{exporter: otlp, endpoint: "{receiver}"}}
log: {{exchanges: "{log}"}}
routes:
  - name: tried
    match: {{path: /tried}}
    retries: {{on: [503], attempts: 2, backoff: 0s, budget: 100}}
    lanes: [{{name: only, pool: only}}]
  - name: plain
    match: {{path: /plain}}
    lanes: [{{name: only, pool: only}}]
  - name: gone
    match: {{path: /gone}}
    lanes: [{{name: only, pool: nobody}}]
pools:
  only: {{endpoints: ["{endpoint}"], ejection: {{failures: 0}}}}
  nobody: {{endpoints: ["http://127.0.0.1:1"], ejection: {{failures: 0}}, panic: 100}}
"""
PATHS = ["/plain/200", "/plain/404", "/plain/500", "/plain/201", "/tried/503", "/tried/200", "/gone", "/nowhere"]


async def answers(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head, _ = await endpoint.request(reader)
        endpoint.heard.clear()
        endpoint.bodies.clear()
        status = head.split(b" ")[1].rpartition(b"/")[2]
        writer.write(b"HTTP/1.1 " + status + b" X\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()


async def drive(proxy: ProxyProcess) -> Counter[tuple[str, int]]:
    """What clients saw, by path and status."""
    seen: Counter[tuple[str, int]] = Counter()

    async def client(session: ClientSession, number: int) -> None:
        for turn in range(number, EXCHANGES, CLIENTS):
            path = PATHS[turn % len(PATHS)]
            async with session.get(proxy.url + path) as answer:
                await answer.read()
                seen[path, answer.status] += 1

    async with ClientSession() as session:
        await asyncio.gather(*(client(session, number) for number in range(CLIENTS)))
    return seen


async def samples(proxy: ProxyProcess, name: str) -> list[tuple[dict[str, str], float]]:
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{proxy.admin_port}/metrics") as answer:
        text = await answer.text()
    families = text_string_to_metric_families(text)
    return [(each.labels, each.value) for family in families for each in family.samples if each.name == name]


def by_outcome(attributes: dict[str, Any], names: dict[str, str]) -> tuple[str, ...]:
    return tuple(str(attributes.get(name, "")) for name in names)


async def test_ten_thousand_exchanges(tmp_path: Path) -> None:
    log = tmp_path / "exchanges.jsonl"
    async with otlp_receiver() as receiver, upstream(answers) as endpoint:
        config = CONFIG.format(receiver=receiver.endpoint, log=log, endpoint=endpoint.url)
        async with proxy_process(config, tmp_path) as proxy:
            seen = await drive(proxy)
            await receiver.wait_for(lambda found: sum(span.kind == "SERVER" for span in found.spans) >= EXCHANGES, 100)
            await asyncio.sleep(1.5)  # the workers' last report, and the log's last lines
            served = await samples(proxy, "http_server_request_duration_seconds_count")
            sent = await samples(proxy, "http_client_request_duration_seconds_count")
            counted = await samples(proxy, "tracer_proxy_exchanges_total")
            lost = await losses(proxy)
    assert lost == {}
    assert seen.total() == EXCHANGES
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    compare(receiver, lines, served, sent)
    assert sum(value for _, value in counted) == EXCHANGES
    assert Counter({(labels["route"], labels["status"]): round(value) for labels, value in counted}) == Counter(
        (line.get("tracer_proxy.route", ""), str(line["http.response.status_code"])) for line in lines
    )


async def losses(proxy: ProxyProcess) -> dict[str, float]:
    names = ("records_dropped", "spans_dropped", "log_lines_dropped")
    found = {name: sum(value for _, value in await samples(proxy, f"tracer_proxy_{name}_total")) for name in names}
    return {name: count for name, count in found.items() if count}


def compare(
    receiver: OtlpReceiver,
    lines: list[dict[str, Any]],
    served: list[tuple[dict[str, str], float]],
    sent: list[tuple[dict[str, str], float]],
) -> None:
    servers = [span for span in receiver.spans if span.kind == "SERVER"]
    clients = [span for span in receiver.spans if span.kind == "CLIENT"]
    assert len(servers) == len(lines) == EXCHANGES
    # One line and one span for each exchange, and the same of both.
    spans = {span.span_id: span for span in servers}
    for line in lines:
        span = spans.pop(line["span_id"])
        assert line["trace_id"] == span.trace_id
        for name in ("http.request.method", "url.path", "http.response.status_code", "error.type", "tracer_proxy.route"):
            assert line.get(name) == span.attributes.get(name), name
    assert not spans
    assert counts(servers, SHOWN_BY_SPANS) == counted_by(served, SHOWN_BY_SPANS)
    of_client = {name: label for name, label in SHOWN_BY_SPANS.items() if name != "http.route"} | {"server.port": "server_port"}
    assert counts(clients, of_client) == counted_by(sent, of_client)


def counts(spans: list[Any], names: dict[str, str]) -> Counter[tuple[str, ...]]:
    return Counter(by_outcome(span.attributes, names) for span in spans)


def counted_by(found: list[tuple[dict[str, str], float]], names: dict[str, str]) -> Counter[tuple[str, ...]]:
    total: Counter[tuple[str, ...]] = Counter()
    for labels, value in found:
        total[tuple(labels.get(label, "") for label in names.values())] += round(value)
    return total

"""Batches for old Jaeger agents and collectors, decoded with the thrift library; run by ``make test-thrift``."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

import pytest
from aiohttp import web
from export_cases import WAIT_S, Told, dropped, exporting, records, until
from span_cases import BEGAN, CLIENT, SERVER, TRACE, answered, asked, llm_record

from tracer_proxy import limits
from tracer_proxy.config.tracing import Tracing
from tracer_proxy.control.export import complaint
from tracer_proxy.telemetry.record import Link

if find_spec("thrift") is None or find_spec("opentelemetry.exporter.jaeger") is None:
    pytest.skip("needs the extra jaeger-thrift; run make test-thrift", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated method __init__:DeprecationWarning")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "AGENT_HOST", "AGENT_PORT", "USER", "PASSWORD"):
        monkeypatch.delenv(f"OTEL_EXPORTER_JAEGER_{name}", raising=False)


def batch_of_packet(packet: bytes) -> Any:
    from opentelemetry.exporter.jaeger.thrift.gen.agent import Agent
    from thrift.protocol import TCompactProtocol
    from thrift.transport import TTransport

    protocol = TCompactProtocol.TCompactProtocol(TTransport.TMemoryBuffer(packet))
    name, _, _ = protocol.readMessageBegin()
    assert name == "emitBatch"
    arguments = Agent.emitBatch_args()
    arguments.read(protocol)
    return arguments.batch


def batch_of_body(body: bytes) -> Any:
    from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch
    from thrift.protocol import TBinaryProtocol
    from thrift.transport import TTransport

    batch = Batch()
    batch.read(TBinaryProtocol.TBinaryProtocol(TTransport.TMemoryBuffer(body)))
    return batch


def tags(span: Any) -> dict[str, Any]:
    return {tag.key: next(v for v in (tag.vStr, tag.vLong, tag.vDouble, tag.vBool) if v is not None) for tag in span.tags}


def hex_of(*parts: int) -> str:
    return "".join(f"{part % 2**64:016x}" for part in parts)


@pytest.fixture
def agent() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024**2)
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(WAIT_S)
        yield listener


class Collector:
    def __init__(self) -> None:
        self.status = 202
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.endpoint = ""

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        body = await request.read()
        if self.status == 202:
            self.bodies.append(body)
        return web.Response(status=self.status)


@asynccontextmanager
async def jaeger_collector() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/api/traces", collector.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()


def thrift(endpoint: str | None, **more: Any) -> Tracing:
    return Tracing(exporter="jaeger", protocol="thrift", endpoint=endpoint, **more)


def to_agent(agent: socket.socket) -> str:
    return f"udp://127.0.0.1:{agent.getsockname()[1]}"


def test_there_is_nothing_to_complain_of() -> None:
    assert complaint(thrift(None)) == ""


async def test_an_agent_gets_the_spans(agent: socket.socket) -> None:
    made = llm_record(links=[Link(b"a" * 32, b"b" * 16, "previous_turn")], is_stream=True, status=500)
    async with exporting(thrift(to_agent(agent), service="planner")) as export:
        export.offer(made)
        packet = await asyncio.to_thread(agent.recv, 65_535)
    assert (export.exported, dropped(export)) == (2, {})
    batch = batch_of_packet(packet)
    server, client = batch.spans
    assert batch.process.serviceName == "planner"
    assert [hex_of(span.traceIdHigh, span.traceIdLow).encode() for span in batch.spans] == [TRACE, TRACE]
    assert [hex_of(span.spanId).encode() for span in batch.spans] == [SERVER, CLIENT]
    assert hex_of(client.parentSpanId).encode() == SERVER
    assert (server.operationName, client.operationName) == ("POST /openai", "chat gpt-4o")
    assert (server.startTime, server.duration) == (round(BEGAN * 1e6), 1_000_000)
    assert [hex_of(ref.traceIdHigh, ref.traceIdLow) + hex_of(ref.spanId) for ref in server.references] == ["a" * 32 + "b" * 16]
    assert len(server.logs) == 2
    shown = tags(client)
    assert (tags(server)["error"], tags(server)["http.response.status_code"]) == (True, 500)
    assert (shown["span.kind"], shown["tracer_proxy.color"], shown["gen_ai.usage.input_tokens"]) == ("client", "canary", 120)
    assert "stop" in shown["gen_ai.response.finish_reasons"]
    assert shown["service.name"] == "planner"


async def test_what_is_too_large_for_a_packet_goes_in_several(agent: socket.socket) -> None:
    said = {"messages": [{"role": "user", "parts": [{"type": "text", "content": "x" * 8000}]}]}
    async with exporting(thrift(to_agent(agent))) as export:
        for each in records(30):
            each.asked, each.answered = asked(content=said), answered()
            export.offer(each)
        spans: list[Any] = []
        while len(spans) < 60:
            packet = await asyncio.to_thread(agent.recv, 65_535)
            assert len(packet) <= limits.UDP_PACKET_BYTES_MAX
            spans += batch_of_packet(packet).spans
    assert (len({span.spanId for span in spans}), export.exported) == (60, 60)


async def test_a_span_that_fits_into_no_packet_is_counted(agent: socket.socket) -> None:
    said = {"messages": [{"role": "user", "parts": [{"type": "text", "content": "x" * 8000}]}] * 10}
    async with exporting(thrift(to_agent(agent))) as export:
        export.offer(llm_record(asked=asked(content=said)))
        packet = await asyncio.to_thread(agent.recv, 65_535)
    assert [hex_of(span.spanId).encode() for span in batch_of_packet(packet).spans] == [SERVER]
    assert (export.exported, dropped(export)) == (1, {"rejected": 1})


async def test_a_collector_gets_the_spans() -> None:
    async with jaeger_collector() as collector:
        async with exporting(thrift(collector.endpoint, headers={"x-key": "k"})) as export:
            for each in records(3):
                export.offer(each)
        assert (export.exported, dropped(export)) == (6, {})
        spans = [span for body in collector.bodies for span in batch_of_body(body).spans]
        assert len({span.spanId for span in spans}) == 6
        (request, *_) = collector.requests
        assert request.query_string == "format=jaeger.thrift"
        assert (request.headers["content-type"], request.headers["x-key"]) == ("application/x-thrift", "k")
        assert "proxy-authorization" not in request.headers


async def test_a_collectors_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_JAEGER_USER", "me")
    monkeypatch.setenv("OTEL_EXPORTER_JAEGER_PASSWORD", "pw")
    async with jaeger_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_JAEGER_ENDPOINT", collector.endpoint + "/api/traces?format=jaeger.thrift")
        async with exporting(thrift(None)) as export:
            export.offer(llm_record())
        assert collector.requests[0].headers["authorization"].startswith("Basic ")


async def test_a_busy_collector_gets_the_batch_again() -> None:
    told = Told()
    async with jaeger_collector() as collector:
        collector.status = 503
        async with exporting(thrift(collector.endpoint), told) as export:
            export.offer(llm_record())
            await until(lambda: export.failures >= 1)
            collector.status = 202
            await until(lambda: export.exported == 2)
        assert len(batch_of_body(collector.bodies[0]).spans) == 2
        assert "it answered 503" in told[0][2]


async def test_an_agent_without_an_address_is_trouble_and_no_more() -> None:
    told = Told()
    async with exporting(thrift("udp://no-such-host.invalid:6831"), told, limit_s=0.1) as export:
        export.offer(llm_record())
        await until(lambda: export.failures >= 1 and bool(told))
    assert told.events()[0] == "export_failing"
    assert dropped(export) == {"closing": 2}

"""Spans as a real OTLP receiver gets them, and what the exporter is told by config and environment."""

import ssl
from pathlib import Path

import pytest
from aiohttp import web
from export_cases import WAIT_S, Told, dropped, exporting, otlp, records, until
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTracePartialSuccess, ExportTraceServiceResponse
from otlp_receiver import PROTOBUF, OtlpReceiver, Span, otlp_receiver
from span_cases import BEGAN, CALLER, CLIENT, OTHER, SERVER, TOOL, TRACE, llm_record, tool_run
from span_cases import spans as span_data
from tls_cases import Authority, server_context

from tracer_proxy import __version__
from tracer_proxy.config.tracing import ExportTls, Tracing
from tracer_proxy.control.export.otlp import traces_url
from tracer_proxy.telemetry.record import Link, Record

OTEL = (
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_SEMCONV_STABILITY_OPT_IN",
)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OTEL:
        monkeypatch.delenv(name, raising=False)


class TlsReceiver(OtlpReceiver):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self._context = context

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context).start()
        self.port = self._runner.addresses[0][1]

    @property
    def endpoint(self) -> str:
        return f"https://localhost:{self.port}"


async def sent(tracing: Tracing, receiver: OtlpReceiver, record: Record) -> list[Span]:
    async with exporting(tracing) as export:
        export.offer(record)
    return receiver.spans


async def test_what_arrives_is_what_was_made() -> None:
    made = llm_record(
        tools=[tool_run(failed=True)],
        links=[Link(b"a" * 32, b"b" * 16, "previous_turn")],
        is_stream=True,
        events=3,
        status=500,
        error="internal",
        error_message="It broke.",
    )
    async with otlp_receiver() as receiver:
        got = await sent(otlp(receiver.endpoint), receiver, made)
    expected = span_data(made)
    expected[1].attributes["gen_ai.provider.name"] = "openai"
    for span, data in zip(got, expected, strict=True):
        assert (span.trace_id, span.span_id, span.parent_id) == (data.trace_id, data.span_id, data.parent_id)
        assert (span.name, span.kind.lower(), span.begins_ns, span.ends_ns) == (
            data.name,
            data.kind.value,
            data.start_ns,
            data.end_ns,
        )
        assert span.attributes == data.attributes
        assert [(event.name, event.at_ns, event.attributes) for event in span.events] == [
            (event.name, event.at_ns, event.attributes) for event in data.events
        ]
        assert [(link.trace_id, link.span_id, link.attributes) for link in span.links] == [
            (link.trace_id, link.span_id, link.attributes) for link in data.links
        ]
        assert (span.status, span.status_message) == ("ERROR" if data.is_error else "UNSET", data.description)
        assert (span.trace_state, span.scope) == ("vendor=1", "tracer_proxy")
    assert [span.span_id.encode() for span in got] == [SERVER, CLIENT, TOOL]
    assert [span.parent_id.encode() for span in got] == [CALLER, SERVER, SERVER]
    assert {span.trace_id.encode() for span in got} == {TRACE}
    assert got[0].begins_ns == round(BEGAN * 1e9)
    assert got[2].links[0].span_id.encode() == OTHER


async def test_only_the_parent_of_the_inbound_leg_is_remote() -> None:
    async with otlp_receiver() as receiver:
        server, client = await sent(otlp(receiver.endpoint), receiver, llm_record())
    assert (server.flags & 0x300, client.flags & 0x300) == (0x300, 0x100)


async def test_a_root_has_no_parent() -> None:
    async with otlp_receiver() as receiver:
        got = await sent(otlp(receiver.endpoint), receiver, llm_record(parent_id=b""))
    assert got[0].parent_id == ""


async def test_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=by-attributes")
    async with otlp_receiver() as receiver:
        (span, *_) = await sent(otlp(receiver.endpoint), receiver, llm_record())
    told = dict(span.resource)
    assert len(told.pop("service.instance.id")) == 36
    assert told.pop("telemetry.sdk.version")
    assert told == {
        "service.name": "by-attributes",
        "service.version": __version__,
        "deployment.environment.name": "test",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
    }


@pytest.mark.parametrize(
    ("config", "environment", "name"), [(None, "", "tracer-proxy"), (None, "mine", "mine"), ("ours", "mine", "ours")]
)
async def test_service_name(monkeypatch: pytest.MonkeyPatch, config: str | None, environment: str, name: str) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", environment)
    async with otlp_receiver() as receiver:
        (span, *_) = await sent(otlp(receiver.endpoint, service=config), receiver, llm_record())
    assert span.resource["service.name"] == name


async def test_headers_and_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-from=environment,x-both=environment")
    async with otlp_receiver() as receiver:
        await sent(otlp(receiver.endpoint, headers={"X-Both": "config", "x-key": "k"}), receiver, llm_record())
        (request,) = receiver.requests
        assert (request["x-from"], request["x-both"], request["x-key"]) == ("environment", "config", "k")
        assert (request["content-encoding"], request["content-type"]) == ("gzip", PROTOBUF)
        assert len(receiver.spans) == 2


@pytest.mark.parametrize(
    ("config", "environment", "encoding"),
    [(None, "", "gzip"), (None, "none", None), (None, "deflate", "deflate"), ("gzip", "none", "gzip"), ("none", "gzip", None)],
)
async def test_compression(monkeypatch: pytest.MonkeyPatch, config: str | None, environment: str, encoding: str | None) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", environment)
    async with otlp_receiver() as receiver:
        await sent(otlp(receiver.endpoint, **({"compression": config} if config else {})), receiver, llm_record())
        assert receiver.requests[0].get("content-encoding") == encoding
        assert len(receiver.spans) == 2


@pytest.mark.parametrize(
    ("config", "base", "traces", "url"),
    [
        (None, "", "", "http://localhost:4318/v1/traces"),
        (None, "http://h:1/x/", "", "http://h:1/x/v1/traces"),
        (None, "http://h:1", "http://t:2/whole", "http://t:2/whole"),
        ("http://c:3", "http://h:1", "http://t:2/whole", "http://c:3/v1/traces"),
        ("http://c:3/", "", "", "http://c:3/v1/traces"),
        ("http://c:3/v1/traces", "", "", "http://c:3/v1/traces"),
        ("http://c:3/api/public/otel", "", "", "http://c:3/api/public/otel/v1/traces"),
    ],
)
def test_endpoint(monkeypatch: pytest.MonkeyPatch, config: str | None, base: str, traces: str, url: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", base)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces)
    assert traces_url(config) == url


async def test_jaeger_is_otlp() -> None:
    async with otlp_receiver() as receiver:
        assert len(await sent(Tracing(exporter="jaeger", endpoint=receiver.endpoint), receiver, llm_record())) == 2


@pytest.mark.parametrize(
    ("more", "environment", "name"),
    [
        ({}, "", "gen_ai.usage.cache_creation.input_tokens"),
        ({}, "http, gen_ai_latest_experimental", "gen_ai.usage.cache_write.input_tokens"),
        ({"profile": "v1.41"}, "gen_ai_latest_experimental", "gen_ai.usage.cache_creation.input_tokens"),
        ({"profile": "genai-dev"}, "", "gen_ai.usage.cache_write.input_tokens"),
    ],
)
async def test_profile(monkeypatch: pytest.MonkeyPatch, more: dict[str, str], environment: str, name: str) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", environment)
    async with otlp_receiver() as receiver:
        got = await sent(otlp(receiver.endpoint, **more), receiver, llm_record())
    assert [key for key in got[1].attributes if ".cache_creation." in key or ".cache_write." in key] == [name]


async def test_tls_with_a_certificate_of_our_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    shown = authority.issue("proxy", file="client")
    receiver = TlsReceiver(server_context(authority.issue("localhost"), authority.ca))
    await receiver.start()
    try:
        tls = ExportTls(ca=str(authority.ca), cert=str(shown.cert), key=str(shown.key))
        assert len(await sent(otlp(receiver.endpoint, tls=tls), receiver, llm_record())) == 2
    finally:
        await receiver.stop()


async def test_a_collector_that_cannot_be_trusted_gets_nothing(tmp_path: Path) -> None:
    receiver = TlsReceiver(server_context(Authority(tmp_path).issue("localhost")))
    await receiver.start()
    told = Told()
    other = Authority(tmp_path, "other")
    try:
        async with exporting(otlp(receiver.endpoint, tls=ExportTls(ca=str(other.ca))), told, limit_s=0.1) as export:
            export.offer(llm_record())
            await until(lambda: export.failures > 0 and bool(told))
        assert "certificate verify failed" in told[0][2]
        assert receiver.requests == []
    finally:
        await receiver.stop()


async def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with otlp_receiver() as receiver:
        assert len(await sent(otlp(receiver.endpoint), receiver, llm_record())) == 2


class Rejecting(OtlpReceiver):
    """Takes a batch, and says that it did not keep three of its spans."""

    async def _take(self, request: web.Request) -> web.Response:
        await super()._take(request)
        answer = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=3))
        return web.Response(body=answer.SerializeToString(), content_type=PROTOBUF)


async def test_spans_that_a_collector_rejects_are_counted() -> None:
    receiver = Rejecting()
    await receiver.start()
    try:
        async with exporting(otlp(receiver.endpoint)) as export:
            for each in records(4):
                export.offer(each)
        assert (export.exported, dropped(export)) == (5, {"rejected": 3})
    finally:
        await receiver.stop()


async def test_only_what_is_sampled_or_always_wanted_arrives() -> None:
    failed = records(1, status=500, sampled=False)[0]
    async with otlp_receiver() as receiver:
        async with exporting(otlp(receiver.endpoint, always={"errors": True, "slower": "5s"})) as export:
            for each in (*records(1, sampled=False), failed):
                export.offer(each)
        await receiver.wait_for(lambda receiver: len(receiver.spans) >= 2, WAIT_S)
        assert [span.attributes.get("http.response.status_code") for span in receiver.spans] == [500, 200]

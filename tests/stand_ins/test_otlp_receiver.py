"""The receiver shows what the official exporter was told to send."""

import asyncio

import pytest
from aiohttp import ClientSession
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from otlp_receiver import OtlpReceiver, otlp_receiver


def two_spans() -> list[ReadableSpan]:
    """A root and its child, which is the first to end."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "tested"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("scope")
    with tracer.start_as_current_span("POST /openai", kind=SpanKind.SERVER) as root:
        root.add_event("first", {"n": 1})
        links = [Link(root.get_span_context(), {"why": "test"})]
        with tracer.start_as_current_span("chat m", kind=SpanKind.CLIENT, links=links) as child:
            child.set_attributes({"text": "é", "whole": 3, "part": 0.5, "yes": True, "many": ["a", "b"]})
            child.set_status(Status(StatusCode.ERROR, "bad"))
    return list(kept.get_finished_spans())


async def exported(exporter: SpanExporter, spans: list[ReadableSpan]) -> SpanExportResult:
    """The exporter blocks, and the receiver runs in this loop."""
    try:
        return await asyncio.to_thread(exporter.export, spans)
    finally:
        exporter.shutdown()


def exporter(receiver: OtlpReceiver, timeout_s: float = 5, compression: Compression = Compression.Gzip) -> OTLPSpanExporter:
    return OTLPSpanExporter(
        f"{receiver.endpoint}/v1/traces", timeout=timeout_s, compression=compression, headers={"x-mine": "1"}
    )


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
async def test_spans_arrive_as_they_were_made(compression: Compression) -> None:
    spans = two_spans()
    async with otlp_receiver() as receiver:
        assert await exported(exporter(receiver, compression=compression), spans) is SpanExportResult.SUCCESS
        child, root = receiver.spans
        (tree,) = receiver.trees().values()
    assert receiver.requests[0]["x-mine"] == "1"
    assert (tree.roots, tree.orphans, tree.doubles) == ([root], [], [])
    assert (tree.children(root), tree.parent(child), tree.parent(root)) == ([child], root, None)
    assert [span.name for span in tree.spans] == ["POST /openai", "chat m"]
    assert (root.kind, child.kind, root.status, child.status, child.status_message) == (
        "SERVER",
        "CLIENT",
        "UNSET",
        "ERROR",
        "bad",
    )
    assert child.attributes == {"text": "é", "whole": 3, "part": 0.5, "yes": True, "many": ["a", "b"]}
    assert root.resource["service.name"] == "tested"
    assert root.scope == "scope"
    assert [(event.name, event.attributes) for event in root.events] == [("first", {"n": 1})]
    assert [(link.trace_id, link.span_id, link.attributes) for link in child.links] == [
        (root.trace_id, root.span_id, {"why": "test"})
    ]
    made = spans[1]
    context = made.get_span_context()
    assert context is not None
    assert (root.trace_id, root.span_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert (root.begins_ns, root.ends_ns) == (made.start_time, made.end_time)


async def test_orphans_and_doubles_are_told() -> None:
    child, root = two_spans()
    async with otlp_receiver() as receiver:
        await exported(exporter(receiver), [child, child])
        (tree,) = receiver.trees().values()
        assert len(tree.orphans) == 2
        assert tree.doubles == [receiver.spans[0].span_id]
        await exported(exporter(receiver), [root])
        (tree,) = receiver.trees().values()
        assert tree.orphans == []


async def test_it_can_refuse_be_slow_and_be_gone() -> None:
    spans = two_spans()
    async with otlp_receiver(status=503) as receiver:
        assert await exported(exporter(receiver, timeout_s=1), spans) is SpanExportResult.FAILURE
        assert receiver.requests
        receiver.status, receiver.delay_s = 200, 2.0
        assert await exported(exporter(receiver, timeout_s=0.2), spans) is SpanExportResult.FAILURE
        await receiver.stop()
        assert await exported(exporter(receiver, timeout_s=1), spans) is SpanExportResult.FAILURE
        assert receiver.spans == []
        receiver.delay_s = 0
        await receiver.start()
        assert await exported(exporter(receiver), spans) is SpanExportResult.SUCCESS
        assert len(receiver.spans) == 2


async def test_waiting_ends_with_the_span_or_with_what_came_instead() -> None:
    async with otlp_receiver() as receiver:
        waiting = asyncio.ensure_future(receiver.spans_of(2))
        await exported(exporter(receiver), two_spans())
        assert len(await waiting) == 2
        with pytest.raises(AssertionError, match="2 spans in 1 traces"):
            await receiver.spans_of(3, timeout_s=0.05)


async def test_only_protobuf_is_taken() -> None:
    async with otlp_receiver() as receiver, ClientSession(receiver.endpoint) as session:
        async with session.post("/v1/traces", json={}) as answer:
            assert answer.status == 415
        async with session.post("/v1/traces", data=b"\xff", headers={"content-type": "application/x-protobuf"}) as answer:
            assert answer.status == 400

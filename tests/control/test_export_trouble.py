"""Collectors that are gone, slow, full or refuse; and that every span is counted once, whatever becomes of it."""

import asyncio
import threading
import time
from itertools import pairwise

import pytest
from export_cases import WAIT_S, Told, dropped, exporting, otlp, records, until
from otlp_receiver import otlp_receiver
from span_cases import record

from tracer_proxy import limits
from tracer_proxy.config.tracing import Tracing
from tracer_proxy.control.export import Exporting, complaint
from tracer_proxy.control.export import exporting as module
from tracer_proxy.control.export.not_taken import NotTaken
from tracer_proxy.control.export.sinks import sink_of
from tracer_proxy.telemetry.catalogue import SpanLoss

NOBODY = "http://127.0.0.1:9"
"""The discard port, where nobody listens."""


def settled(export: Exporting) -> int:
    return export.exported + sum(export.dropped.values())


async def test_batches_hold_as_many_spans_as_they_may() -> None:
    async with otlp_receiver() as receiver:
        async with exporting(otlp(receiver.endpoint)) as export:
            for each in records(200):
                export.offer(each)
        assert (export.exported, len(receiver.spans), len(receiver.requests)) == (400, 400, 4)
        assert len({span.span_id for span in receiver.spans}) == 400


async def test_a_record_alone_is_sent_without_waiting_for_more() -> None:
    async with otlp_receiver() as receiver, exporting(otlp(receiver.endpoint)) as export:
        export.offer(record())
        await receiver.spans_of(2)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_collector_gets_the_batch_again(status: int) -> None:
    told = Told()
    async with otlp_receiver(status) as receiver, exporting(otlp(receiver.endpoint), told) as export:
        export.offer(record())
        await until(lambda: export.failures >= 2)
        receiver.status = 200
        await receiver.spans_of(2)
        await until(lambda: export.exported == 2)
        await until(lambda: len(told) == 2)
    assert dropped(export) == {}
    assert told.events() == ["export_failing", "export_works"]
    assert f"it answered {status}" in told[0][2]
    assert len(receiver.spans) == 2


@pytest.mark.parametrize("status", [301, 400, 401, 404, 413, 500])
async def test_what_is_refused_for_good_is_not_sent_again(status: int) -> None:
    async with otlp_receiver(status) as receiver:
        async with exporting(otlp(receiver.endpoint)) as export:
            export.offer(record())
            await until(lambda: dropped(export) == {"refused": 2})
            receiver.status = 200
            export.offer(record())
        assert (export.exported, export.failures) == (2, 1)
        assert len(receiver.requests) == 2


async def test_a_collector_that_comes_later_gets_what_waited() -> None:
    async with otlp_receiver() as receiver:
        await receiver.stop()
        told = Told()
        async with exporting(otlp(receiver.endpoint), told) as export:
            export.offer(record())
            await until(lambda: export.failures >= 1)
            await receiver.start()
            await receiver.spans_of(2)
        assert "refused" in told[0][2].lower()
        assert (export.exported, dropped(export)) == (2, {})


async def test_a_batch_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXPORT_ATTEMPTS_MAX", 3)
    monkeypatch.setattr(module, "EXPORT_BACKOFF_S", 0.01)
    async with exporting(otlp(NOBODY)) as export:
        export.offer(record())
        await until(lambda: dropped(export) == {"gave_up": 2})
        assert export.failures == 3


async def test_a_batch_that_is_too_old_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXPORT_AGE_S_MAX", 0.1)
    async with exporting(otlp(NOBODY)) as export:
        export.offer(record())
        await until(lambda: dropped(export) == {"gave_up": 2})
        assert export.failures == 1


def test_waits_grow_up_to_a_bound() -> None:
    busy = NotTaken("", is_transient=True)
    waits = [module._backoff_s(attempt, busy) for attempt in range(12)]
    assert all(later > earlier for earlier, later in pairwise(waits[:6]))
    assert max(waits) <= 1.2 * limits.EXPORT_BACKOFF_MAX_S
    assert module._backoff_s(0, NotTaken("", is_transient=True, wait_s=7)) == 7


async def test_what_does_not_fit_into_the_queue_is_counted() -> None:
    async with exporting(otlp(NOBODY), limit_s=0.1) as export:
        total = limits.EXPORT_QUEUE_SPANS_MAX + 4 * limits.EXPORT_BATCH_SPANS
        for each in records(total // 2):
            export.offer(each)
        assert export.dropped["queue_full"] > 0
        assert export.queued <= limits.EXPORT_QUEUE_SPANS_MAX + limits.EXPORT_BATCH_SPANS
    assert settled(export) == total


async def test_records_with_much_content_fill_the_queue_too() -> None:
    async with exporting(otlp(NOBODY), limit_s=0.1) as export:
        for each in records(20):
            export.offer(each, limits.EXPORT_QUEUE_BYTES_MAX // 10)
        assert export.dropped["queue_full"] >= 2 * 8
    assert settled(export) == 40


async def test_offering_never_waits_for_a_slow_collector() -> None:
    async with otlp_receiver(delay_s=WAIT_S) as receiver, exporting(otlp(receiver.endpoint), limit_s=0.1) as export:
        export.offer(record())
        await until(lambda: len(receiver.requests) == 1)
        slow = 0.0
        for each in records(500):
            begun = time.perf_counter()
            export.offer(each)
            slow = max(slow, time.perf_counter() - begun)
        assert slow < WAIT_S / 10
        assert export.exported == 0
    assert dropped(export) == {"closing": 1002}


async def test_a_slow_collector_is_given_up_by_the_configs_timeout() -> None:
    told = Told()
    async with otlp_receiver(delay_s=WAIT_S) as receiver:
        async with exporting(otlp(receiver.endpoint, timeout="50ms"), told, limit_s=0.1) as export:
            export.offer(record())
            await until(lambda: export.failures >= 1 and bool(told))
        assert "did not answer in time" in told[0][2]


async def test_closing_sends_what_waits() -> None:
    async with otlp_receiver() as receiver:
        export = Exporting(Told().say)
        export.reconfigure(otlp(receiver.endpoint))
        for each in records(300):
            export.offer(each)
        await export.close(WAIT_S)
        assert (export.exported, len(receiver.spans), export.queued) == (600, 600, 0)


async def test_closing_takes_no_longer_than_its_limit() -> None:
    async with otlp_receiver(delay_s=WAIT_S) as receiver:
        export = Exporting(Told().say)
        export.reconfigure(otlp(receiver.endpoint))
        for each in records(300):
            export.offer(each)
        async with asyncio.timeout(WAIT_S / 2):
            await export.close(0.2)
        assert dropped(export) == {"closing": 600}
        export.offer(record())
        assert dropped(export) == {"closing": 602}


async def test_nothing_is_counted_twice_when_an_export_ends_after_the_limit() -> None:
    async with otlp_receiver(delay_s=0.5) as receiver:
        export = Exporting(Told().say)
        export.reconfigure(otlp(receiver.endpoint))
        export.offer(record())
        await until(lambda: len(receiver.requests) == 1)
        await export.close(0.01)
        assert dropped(export) == {"closing": 2}
        await receiver.spans_of(2)
        await until(lambda: "export" not in [thread.name for thread in threading.enumerate()])
        assert (export.exported, settled(export)) == (0, 2)


async def test_a_new_config_holds_for_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_backoff_s", lambda *of: limits.EXPORT_AGE_S_MAX - 1)
    async with otlp_receiver() as receiver:
        async with exporting(otlp(NOBODY)) as export:
            export.offer(record())
            await until(lambda: export.failures >= 1)
            export.reconfigure(otlp(receiver.endpoint))
            await receiver.spans_of(2)
        assert (export.exported, dropped(export)) == (2, {})


async def test_switched_off_it_drops_what_waits_and_takes_nothing() -> None:
    async with exporting(otlp(NOBODY)) as export:
        export.offer(record())
        await until(lambda: export.failures >= 1)
        export.reconfigure(Tracing(exporter="none"))
        await until(lambda: dropped(export) == {"no_exporter": 2})
        export.offer(record())
    assert settled(export) == 2


async def test_none_makes_no_thread() -> None:
    async with exporting(Tracing(exporter="none")) as export:
        export.offer(record())
        assert (settled(export), export.queued) == (0, 0)
        assert "export" not in [thread.name for thread in threading.enumerate()]
    assert sink_of(Tracing(exporter="none")) is None


async def test_a_record_of_which_no_spans_can_be_made_takes_no_other_with_it() -> None:
    told = Told()
    broken = record(trace_id=None)
    async with otlp_receiver() as receiver:
        async with exporting(otlp(receiver.endpoint), told) as export:
            for each in (record(), broken, record()):
                export.offer(each)
            await until(lambda: bool(told))
        assert (len(receiver.spans), export.exported, dropped(export)) == (4, 4, {"bug": 2})
        assert told.events() == ["bug"]


async def test_an_exporter_that_cannot_be_made_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unmade(tracing: Tracing) -> None:
        raise RuntimeError("no such file")

    monkeypatch.setattr(module, "sink_of", unmade)
    told = Told()
    async with exporting(otlp(NOBODY), told) as export:
        export.offer(record())
        await until(lambda: dropped(export) == {"no_exporter": 2} and bool(told))
    assert told == [
        ("export_off", "error", "Nothing is exported: the exporter cannot be made: no such file. Traffic is not affected.")
    ]


async def test_thrift_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer_proxy.control.export.sinks.find_spec", lambda name: None)
    tracing = Tracing(exporter="jaeger", protocol="thrift")
    assert "pip install 'tracer-proxy[jaeger-thrift]'" in complaint(tracing)
    assert complaint(Tracing(exporter="jaeger")) == ""
    told = Told()
    async with exporting(tracing, told) as export:
        export.offer(record())
        await until(lambda: dropped(export) == {"no_exporter": 2} and bool(told))
    assert complaint(tracing) in told[0][2]


def test_all_reasons_are_there_from_the_start() -> None:
    assert Exporting(Told().say).dropped == dict.fromkeys(map(str, SpanLoss), 0)

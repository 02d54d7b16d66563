"""What becomes of the records of exchanges: they are exported as spans, written to the log, and shown to whoever looks on."""

from collections.abc import Sequence

from tracer_proxy.config.schema import Config
from tracer_proxy.control.events import Events
from tracer_proxy.control.exchange_log import ExchangeLog
from tracer_proxy.control.export.exporting import Exporting
from tracer_proxy.control.live import Live, RecordSource
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.totals import Totals


class Recorded:
    """``source`` is told when somebody begins to look on, and when nobody does any more."""

    def __init__(self, events: Events, source: RecordSource) -> None:
        self.live = Live(source)
        self._log = ExchangeLog(events)
        self._exporting = Exporting(events.write)
        self._counted: dict[tuple[str, ...], int] = {}
        """What the totals know of."""

    def configure(self, config: Config) -> None:
        self._log.configure(config.log.exchanges, config.tracing.profile)
        self._exporting.reconfigure(config.tracing)

    def take(self, worker: int, records: Sequence[Record], size_bytes: int) -> None:
        """``size_bytes`` is what all of them took on their way."""
        each_bytes = size_bytes // max(len(records), 1)
        for record in records:
            record.worker = worker
            self._exporting.offer(record, each_bytes)
            if record.shadow != "copy":
                # A copy is nobody's exchange: log and view would count the original twice.
                self._log.take(record)
                self.live.take(record)

    def reopen(self) -> None:
        """The file of the log may have been moved away."""
        self._log.reopen()

    async def close(self, limit_s: float) -> None:
        """Writes and sends what waits, for so long at most."""
        await self._log.close()
        await self._exporting.close(limit_s)

    def count(self, totals: Totals) -> None:
        """What has come to it since the last time."""
        exporting = self._exporting
        counts: dict[tuple[str, ...], int] = {
            (catalogue.SPANS_EXPORTED.name,): exporting.exported,
            (catalogue.EXPORT_FAILURES.name,): exporting.failures,
            (catalogue.LOG_DROPPED.name,): self._log.dropped,
            (catalogue.LIVE_DROPPED.name,): self.live.dropped,
            **{(catalogue.SPANS_DROPPED.name, reason): lost for reason, lost in exporting.dropped.items()},
        }
        for (name, *labels), count in counts.items():
            new = count - self._counted.get((name, *labels), 0)
            if new:
                totals.count(catalogue.METRICS[name], *labels, by=new)
        self._counted = counts

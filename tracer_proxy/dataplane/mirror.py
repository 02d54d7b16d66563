"""An exchange on a route that mirrors: what its copy needs is kept while it passes, and it is sent when the original is.

    keep        the body's pieces, as they are framed for the upstream, shared and not copied
    launch      in the loop's next round, when the original's bytes are out
    compare     when both have ended

None of it may raise into the exchange or hold it up: what cannot be copied is given up and counted.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tracer_proxy.dataplane.copies import Copy
from tracer_proxy.dataplane.exchange import Exchange
from tracer_proxy.dataplane.model_witness import ModelWitness
from tracer_proxy.dataplane.plan import Plan
from tracer_proxy.dataplane.recording import attempt_of, record_of
from tracer_proxy.errors import ProxyError
from tracer_proxy.limits import MIRROR_BODY_BYTES_MAX, MIRROR_HELD_BYTES_MAX, MIRROR_PIECE_BYTES
from tracer_proxy.routing.mirror import Mirror
from tracer_proxy.routing.route import Route
from tracer_proxy.telemetry.catalogue import NotMirrored, Pairing
from tracer_proxy.telemetry.mirror_meter import MirrorMeter

if TYPE_CHECKING:
    from tracer_proxy.dataplane.downstream import Downstream
    from tracer_proxy.dataplane.upstream import Upstream


class MirroredExchange(Exchange):
    __slots__ = (
        "_answer_size",
        "_copied_length",
        "_copy",
        "_has_ended",
        "_is_whole",
        "_kept",
        "_kept_bytes",
        "_mirror",
        "_size",
        "_was_sent",
    )

    def __init__(self, downstream: "Downstream", plan: Plan) -> None:
        super().__init__(downstream, plan)
        assert plan.route is not None
        assert plan.route.mirror is not None
        self._mirror: Mirror = plan.route.mirror
        self._kept: list[bytes] | None = None
        """What has come of the body, while there may be a copy of it yet."""
        self._size = self._kept_bytes = 0
        """Its length, and what the worker was told of it."""
        self._copied_length: int | None = 0
        """As the client said; what stands in a body may be changed for the original."""
        self._answer_size = 0
        """Without the framing of chunks; of an answer that came in one piece it is ``sent_bytes``."""
        self._was_sent = False
        self._copy: Copy | None = None
        self._has_ended = self._is_whole = False
        """Of the original, and whether it was answered to the end."""

    def _safely(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as bug:
            self.worker.loop.call_exception_handler({"message": "a request could not be copied", "exception": bug})
            self._drop(NotMirrored.BUG)

    @property
    def _meter(self) -> MirrorMeter:
        return self._mirror.lane.meter.mirror

    # 1. Whether there is to be a copy, and what it takes.

    def _choose_lane(self, route: Route) -> None:
        super()._choose_lane(route)
        self._safely(self._consider)

    def _consider(self) -> None:
        plan, decision, mirror = self.plan, self.decision, self._mirror
        assert decision is not None
        if plan.is_shadow or plan.is_last_hop or decision.lane is mirror.lane or not mirror.takes(decision.session_key):
            return
        self._kept = []
        self._copied_length = self.length
        if self.head.upgrade:
            self._drop(NotMirrored.UPGRADE)
        elif self.length is not None and self.length > MIRROR_BODY_BYTES_MAX:
            self._drop(NotMirrored.BODY_TOO_LARGE)
        elif self._outbox:
            self._keep(self._outbox)

    def _read_body(self, data: bytes) -> bytes:
        framed = super()._read_body(data)
        if self._kept is not None:
            if framed:
                self._safely(partial(self._keep, framed))
            self._launch_soon()
        return framed

    def _keep(self, piece: bytes) -> None:
        kept, copies = self._kept, self.worker.copies
        assert kept is not None
        kept.append(piece)
        self._size += len(piece)
        cost = len(piece) + MIRROR_PIECE_BYTES
        self._kept_bytes += cost
        copies.held_bytes += cost
        if self._size > MIRROR_BODY_BYTES_MAX:
            self._drop(NotMirrored.BODY_TOO_LARGE)
        elif copies.held_bytes > MIRROR_HELD_BYTES_MAX:
            self._drop(NotMirrored.MEMORY)

    def _drop(self, reason: NotMirrored) -> None:
        """There will be no copy."""
        if self._kept is not None:
            self._forget_kept()
            self._meter.not_mirrored[reason] += 1

    def _forget_kept(self) -> None:
        self._kept = None
        self.worker.copies.held_bytes -= self._kept_bytes
        self._kept_bytes = 0

    # 2. The copy goes out.

    def _dispatch(self, upstream: "Upstream") -> None:
        super()._dispatch(upstream)
        if self._kept is not None and not self._was_sent:
            self._was_sent = True
            self._launch_soon()

    def _launch_soon(self) -> None:
        if self._was_sent and self.request_done:
            self.worker.loop.call_soon(self._safely, self._launch)

    def _launch(self) -> None:
        kept = self._kept
        if kept is None or self._copy is not None:
            return
        copy = Copy(self, self._mirror)
        refused = copy.begin(self._copied_length, kept[0] if len(kept) == 1 else b"".join(kept))
        if refused is not None:
            self._drop(refused)
        else:
            kept.clear()
            self._copy = copy

    # 3. Both have ended.

    def _pass_answer(self, out: bytes) -> None:
        assert self._answer_body is not None
        self._answer_size += len(self._answer_body.payload)
        super()._pass_answer(out)

    def _finish(self) -> None:
        super()._finish()
        self._is_whole = True
        self._original_ended()

    def _let_go(self, error: ProxyError) -> None:
        super()._let_go(error)
        self._original_ended()

    def _original_ended(self) -> None:
        self._has_ended = True
        if self._copy is None:
            self._drop(NotMirrored.ENDED_EARLY)
        else:
            # Whoever reads the original's answer has been called by then.
            self.worker.loop.call_soon(self._safely, self._settle_pair)

    def copy_ended(self) -> None:
        """The copy calls this."""
        if self._kept is not None:
            self._forget_kept()
        if self._has_ended:
            self.worker.loop.call_soon(self._safely, self._settle_pair)

    def _settle_pair(self) -> None:
        copy = self._copy
        if copy is None or not copy.outcome:
            return
        self._copy = None
        self._meter.copy_done(copy.outcome)
        if self._mirror.compare:
            self._compare(copy)
        if self.sampled and self.worker.records.is_on:
            self._record(copy)

    def _compare(self, copy: Copy) -> None:
        meter = self._meter
        if not self._is_whole or copy.attempt_error:
            meter.pair_done(Pairing.UNANSWERED)
            return
        is_same = self.answer_status // 100 == copy.answer_status // 100
        meter.pair_done(Pairing.SAME if is_same else Pairing.DIFFERS)
        usage = self.witness.usage if isinstance(self.witness, ModelWitness) else None
        answered = copy.reader.finish() if copy.reader is not None else None
        copied_usage = answered.usage if answered is not None else None
        size = self._answer_size or self.sent_bytes
        meter.measured("original", self.attempt_ended - self.sent_at, size, usage)
        meter.measured("copy", copy.attempt_ended - copy.sent_at, copy.answer_bytes, copied_usage)

    def _record(self, copy: Copy) -> None:
        """One span beside those of the original, so that what the shadow does hangs on something."""
        records, lane = self.worker.records, copy.lane
        seconds = copy.attempt_ended - copy.attempt_began
        if not records.wants(seconds, self.worker.clock.now, sampled=True, failed=bool(copy.attempt_error)):
            return
        made = record_of(self, copy.answer_status, None, copy.attempt_ended)
        color = (lane.paints or self.decision.color).decode() if self.decision is not None else ""
        attempts = [attempt_of(copy)]
        records.put(replace(made, shadow="copy", lane=lane.name, color=color, attempts=attempts, tools=[], is_stream=False))

"""Whether a pool takes one more: its circuit limits, and somebody available. What is refused is told why."""

from typing import TYPE_CHECKING

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.routing.pool import Pool
from tracer_proxy.telemetry.catalogue import Shed

if TYPE_CHECKING:
    from tracer_proxy.dataplane.worker import Worker


def full(worker: "Worker", pool: Pool, limit: str) -> ProxyError:
    """``limit`` is the key of the pool's ``limits``."""
    worker.shed(Shed(f"pool_{limit}"))
    bound = getattr(pool.circuit.limits, limit)
    return ProxyError(
        Kind.POOL_FULL, f"The pool {pool.name!r} is full: its limit of {bound} {limit} is reached; try again soon."
    )


def nobody(pool: Pool) -> ProxyError:
    return ProxyError(Kind.NO_ENDPOINT, f"No endpoint of the pool {pool.name!r} is healthy; try again soon.")


def refuse_dial(worker: "Worker", pool: Pool) -> ProxyError | None:
    """Why no connection may be dialled; ``None`` when one may, for which an idle one may have had to go."""
    circuit = pool.circuit
    if circuit.pending >= circuit.limits.pending:
        return full(worker, pool, "pending")
    if circuit.lacks_room and not _close_an_idle_one(worker, pool):
        return full(worker, pool, "connections")
    return None


def _close_an_idle_one(worker: "Worker", pool: Pool) -> bool:
    for endpoint in pool.endpoints:
        idle = worker.connections.take(endpoint)
        if idle is not None:
            idle.close()
            return True
    return False

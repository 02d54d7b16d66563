"""What the workers of a proxy share: a memory of ids handed out, and the secret that keys it."""

from collections.abc import Callable
from dataclasses import dataclass

from tracer_proxy.dataplane.shared_memory import SharedMemory
from tracer_proxy.stitching.stitcher import Stitcher


@dataclass(frozen=True, slots=True)
class Shared:
    """Made by the supervisor, whose children inherit both."""

    file: int
    """Descriptor of a file in memory (``shared_memory.create``)."""
    secret: bytes

    def stitcher(self, new_span_id: Callable[[], bytes]) -> Stitcher:
        return Stitcher(SharedMemory(self.file), self.secret, new_span_id)

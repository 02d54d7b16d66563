"""How an answer comes, apart from what it says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Behaviour:
    delay_s: float = 0.0
    """Before the answer's head."""
    pause_s: float = 0.0
    """Before each event of a stream."""
    gzip: bool = False
    """Where the client accepts it."""
    status: int = 200
    """Any other: the provider's error of this status."""
    cut_after: int | None = None
    """The connection is torn after so many events of a stream, or after half of a whole body."""

"""What a collector did not take."""


class NotTaken(Exception):
    """A batch that did not get there. ``reason`` is half a sentence for people."""

    def __init__(self, reason: str, *, is_transient: bool, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_transient = is_transient
        """It may be taken when it is sent again."""
        self.wait_s = wait_s
        """What the collector asks for."""

"""Colour rules: which traffic gets which colour, in order, first hit wins."""

from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.condition import Condition, Joins


class ColorRule:
    """Paints ``color`` on what meets the condition."""

    __slots__ = ("_by_head", "color", "condition", "is_share")

    def __init__(self, color: str, condition: Condition) -> None:
        self.color = color.encode()
        self.condition = condition
        self.is_share = condition.is_share
        """It holds for a share of sessions."""

        parts = condition.parts if condition.parts and condition.joins is Joins.EVERY else (condition,)
        self._by_head = tuple(part for part in parts if not part.varies)

    def may_hold(self, asking: Asking) -> bool:
        """False if it does not hold for any request with this head."""
        return all(part.holds(asking, b"") for part in self._by_head)

    def holds(self, asking: Asking, session_key: bytes) -> bool:
        return self.condition.holds(asking, session_key)

    def __str__(self) -> str:
        return str(self.condition)

"""What a provider heard."""

from dataclasses import dataclass, field
from typing import Any

from providers.said import Said


@dataclass(frozen=True)
class Heard:
    """One request."""

    api: str
    path: str
    headers: dict[str, str]
    """Names in lower case; lines of one name joined by a comma."""
    body: dict[str, Any]
    said: Said | None
    """None of an embedding, and of what was refused."""
    call_ids: list[str] = field(default_factory=list)
    """That the answer handed out."""

    @property
    def trace_id(self) -> str:
        """That of the ``traceparent`` that arrived; empty without one."""
        return self._traceparent[1]

    @property
    def parent_id(self) -> str:
        return self._traceparent[2]

    @property
    def _traceparent(self) -> list[str]:
        return self.headers.get("traceparent", "---").split("-")

"""What a backend shows of one trace, in no backend's words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    trace_id: str
    is_complete: bool
    """The backend does not take it for still under way."""
    roots: int
    """Spans that it shows at the top."""
    models: int
    """Spans that it knows as calls of a model."""
    tools: tuple[str, ...]
    """Names of spans that it knows as runs of tools, sorted."""
    input_tokens: int
    output_tokens: int
    session: str
    """Empty without one."""

"""Which part of a prompt is read from the provider's cache, and which is written to it.

The mock remembers no prompts. A prompt that holds an answer of the model must have been sent up to there before; so what
stands before the last answer counts as read, and what follows it, up to the last mark, as written.
"""

from dataclasses import dataclass

from tracer_proxy import limits
from tracer_proxy.mocks.llm.anthropic.blocks import Block
from tracer_proxy.mocks.llm.anthropic.turns import Turn


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """A prompt's length: what is neither read from the cache nor written to it, and what is."""

    fresh: int
    written: int = 0
    read: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.fresh + self.written + self.read


def split(head: tuple[tuple[int, bool], ...], turns: list[Turn], overhead: int, *, marks_end: bool = False) -> PromptTokens:
    """``head`` is what stands before the messages, each part with its length and whether it is marked for the cache."""
    parts = [*head, *((block.tokens, block.is_cached) for block in _blocks(turns))]
    total = sum(size for size, _ in parts) + overhead
    marked = len(parts) if marks_end else max((place + 1 for place, (_, mark) in enumerate(parts) if mark), default=0)
    cached = sum(size for size, _ in parts[:marked])
    if cached < limits.MOCK_CACHED_TOKENS_MIN:
        return PromptTokens(total)
    seen = sum(size for size, _ in parts[: min(marked, len(head) + _blocks_sent_before(turns))]) if len(turns) > 2 else 0
    return PromptTokens(total - cached, cached - seen, seen)


def _blocks_sent_before(turns: list[Turn]) -> int:
    """Blocks of the prompt that the last answer of the model answered."""
    answers = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    return len(_blocks(turns[: answers[-1]])) if answers else 0


def _blocks(turns: list[Turn]) -> list[Block]:
    return [block for turn in turns for block in turn.blocks]

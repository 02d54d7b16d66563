"""What can be set about the mock LLM."""

from dataclasses import dataclass

MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4.1", "gpt-5", "mock")

ANTHROPIC_MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-4-5")


@dataclass(frozen=True, slots=True)
class Settings:
    """``models`` is what ``/v1/models`` lists; a chat may name any model, so that an agent runs as it is configured."""

    token_interval_s: float = 0.0
    """Pause before each event of a stream but the first, so that a stream can be watched."""
    models: tuple[str, ...] = MODELS
    anthropic_models: tuple[str, ...] = ANTHROPIC_MODELS
    strict_models: bool = False
    api_keys: tuple[str, ...] = ()


DEFAULTS = Settings()

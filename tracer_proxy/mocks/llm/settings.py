"""What can be set about the mock LLM."""

from dataclasses import dataclass

MODELS = (
    "gpt-4o-mini",
    "gpt-4o",
    "gpt-4.1",
    "gpt-5",
    "gpt-3.5-turbo-instruct",
    "text-embedding-3-small",
    "text-embedding-3-large",
    "text-embedding-ada-002",
    "omni-moderation-latest",
    "mock",
)

ANTHROPIC_MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-4-5")

GEMINI_MODELS = ("gemini-3.8-flash", "gemini-3.1-pro-preview", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-embedding-001")

OLLAMA_MODELS = ("llama3.2:latest", "qwen3:latest", "nomic-embed-text:latest")


@dataclass(frozen=True, slots=True)
class Settings:
    """``models`` and their like are what each provider lists. Any other may be named too, so that an agent runs as it is
    configured, unless ``strict_models``. Any key will do, or none, unless ``api_keys`` names those that do.
    """

    token_interval_s: float = 0.0
    """Pause before each event of a stream but the first, so that a stream can be watched."""
    models: tuple[str, ...] = MODELS
    anthropic_models: tuple[str, ...] = ANTHROPIC_MODELS
    gemini_models: tuple[str, ...] = GEMINI_MODELS
    ollama_models: tuple[str, ...] = OLLAMA_MODELS
    strict_models: bool = False
    api_keys: tuple[str, ...] = ()


DEFAULTS = Settings()

"""A call of a model on the span of the attempt that was answered (GenAI conventions, inference and embeddings)."""

from typing import Any

from tracer_proxy.genai.answered import Answered, Usage
from tracer_proxy.genai.asked import Asked
from tracer_proxy.limits import SPAN_NAME_CHARS_MAX
from tracer_proxy.telemetry.record import Attempt
from tracer_proxy.telemetry.spans.content import Redaction
from tracer_proxy.telemetry.spans.data import Attributes
from tracer_proxy.telemetry.spans.names import Profile
from tracer_proxy.telemetry.spans.urls import cut

_OPENAI_APIS = frozenset(("chat_completions", "responses"))
_OPENAI_PROVIDERS = frozenset(("openai", "azure.ai.openai", "azure.ai.inference"))


def llm_span_name(asked: Asked) -> str:
    return f"{asked.operation} {asked.model}".rstrip()[:SPAN_NAME_CHARS_MAX]


def conversation_of(asked: Asked | None, answered: Answered | None) -> str:
    """A real one only: the conventions forbid to make one up."""
    return (asked.conversation_id if asked else "") or (answered.conversation_id if answered else "")


def request_attributes(asked: Asked, provider: str, profile: Profile) -> Attributes:
    found: Attributes = {"gen_ai.operation.name": asked.operation, "gen_ai.provider.name": provider}
    if asked.model:
        found["gen_ai.request.model"] = cut(asked.model)
    if asked.stream:
        found["gen_ai.request.stream"] = True
    found |= {name: value for name, value in asked.parameters.items() if _belongs(name, provider)}
    if (top_k := found.get("gen_ai.request.top_k")) is not None and isinstance(top_k, int | float):
        found["gen_ai.request.top_k"] = profile.top_k(top_k)
    if provider in _OPENAI_PROVIDERS and asked.api in _OPENAI_APIS:
        found["openai.api.type"] = asked.api
    if profile.previous_response and asked.previous_response_id:
        found[profile.previous_response] = cut(asked.previous_response_id)
    return found


def response_attributes(answered: Answered, attempt: Attempt, provider: str, profile: Profile) -> Attributes:
    found: Attributes = {name: value for name, value in answered.parameters.items() if _belongs(name, provider)}
    if answered.id:
        found["gen_ai.response.id"] = cut(answered.id)
    if answered.model:
        found["gen_ai.response.model"] = cut(answered.model)
    if answered.finish_reasons:
        found["gen_ai.response.finish_reasons"] = list(answered.finish_reasons)
    if answered.first_chunk_at is not None:
        found["gen_ai.response.time_to_first_chunk"] = max(0.0, answered.first_chunk_at - attempt.began)
    return found | _usage(answered.usage, profile)


def content_attributes(asked: Asked, answered: Answered | None, profile: Profile, redaction: Redaction) -> Attributes:
    """JSON texts, of what was captured."""
    said: dict[str, Any] = asked.content or {}
    found: Attributes = {
        name: redaction.json(said[part])
        for part, name in (
            ("messages", "gen_ai.input.messages"),
            ("system", "gen_ai.system_instructions"),
            ("tools", "gen_ai.tool.definitions"),
        )
        if said.get(part)
    }
    if answered is not None and answered.content:
        found["gen_ai.output.messages"] = redaction.json(_messages(answered.content, profile))
    return found


def _usage(usage: Usage, profile: Profile) -> Attributes:
    """What the provider did not count is left out: 0 would say that it had."""
    counted: list[tuple[str, int | None]] = [
        ("gen_ai.usage.input_tokens", usage.input),
        ("gen_ai.usage.output_tokens", usage.output),
        ("gen_ai.usage.cache_read.input_tokens", usage.cache_read),
        *((name, usage.cache_creation) for name in profile.cache_creation),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
        # Phoenix reads reasoning tokens under OpenInference's name only.
        ("llm.token_count.completion_details.reasoning", usage.reasoning),
    ]
    return {name: count for name, count in counted if count is not None}


def _messages(messages: list[dict[str, Any]], profile: Profile) -> list[dict[str, Any]]:
    if profile.has_message_finish_reason:
        return messages
    return [{name: value for name, value in message.items() if name != "finish_reason"} for message in messages]


def _belongs(name: str, provider: str) -> bool:
    """``openai.*`` stands only beside a provider of that flavour."""
    return not name.startswith("openai.") or provider in _OPENAI_PROVIDERS

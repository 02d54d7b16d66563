"""Thinking: whether it is on, what it forbids, and the signature by which a block is known again."""

import base64
import hashlib

from tracer_proxy import limits
from tracer_proxy.mocks.llm.anthropic.fields import Fields
from tracer_proxy.mocks.llm.serving import Refused

_TYPES = ("enabled", "adaptive", "disabled", "between_tools")
_FORCED = ("any", "tool")


def is_on(body: Fields, tokens_max: int) -> bool:
    """Whether the answer is to begin with thinking; raises ``Refused`` for what does not go together with it."""
    fields = body.object("thinking")
    if fields is None:
        return False
    kind = fields.choice("type", _TYPES)
    if kind in ("disabled", "between_tools"):
        return False
    if kind == "enabled":
        _check_budget(fields, tokens_max)
    choice = body.object("tool_choice")
    if choice is not None and choice.get("type") in _FORCED:
        raise Refused(400, "Thinking may not be enabled when tool_choice forces tool use.")
    if body.get("temperature") not in (None, 1):
        raise Refused(400, "`temperature` may only be set to 1 when thinking is enabled.")
    return True


def is_shown(body: Fields) -> bool:
    """Whether the text of the thinking is wanted, or its signature only."""
    fields = body.object("thinking")
    if fields is None or fields.get("display") is None:
        return True
    return fields.choice("display", ("summarized", "omitted")) == "summarized"


def signature(text: str) -> str:
    """What a thinking block is sealed with; opaque to clients, who bring it back unchanged."""
    return base64.b64encode(b"mock" + hashlib.sha512(text.encode("utf-8", "surrogatepass")).digest()).decode()


def check_signature(fields: Fields) -> None:
    """Raises ``Refused`` if the text is not the one that was sealed. Omitted thinking comes back without a text to check."""
    text, sealed = fields.text("thinking"), fields.text("signature")
    if text and sealed != signature(text):
        raise Refused(400, f"{fields.path('signature')}: Invalid `signature` in `thinking` block")


def _check_budget(fields: Fields, tokens_max: int) -> None:
    budget = fields.integer("budget_tokens", limits.MOCK_THINKING_TOKENS_MIN)
    if budget is None:
        raise fields.missing(fields.path("budget_tokens"))
    if budget >= tokens_max:
        raise Refused(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")

"""Names that are not the same everywhere: the project's own attributes, and what the GenAI profiles spell differently."""

from dataclasses import dataclass
from typing import Final

COLOR: Final = "tracer_proxy.color"
COLOR_SOURCE: Final = "tracer_proxy.color.source"
ROUTE: Final = "tracer_proxy.route"
LANE: Final = "tracer_proxy.lane"
LANE_INTENDED: Final = "tracer_proxy.lane.intended"
POOL: Final = "tracer_proxy.pool"
ENDPOINT: Final = "tracer_proxy.endpoint"
FAILOVER: Final = "tracer_proxy.failover"
REUSED: Final = "tracer_proxy.connection.reused"
SESSION_SOURCE: Final = "tracer_proxy.session.source"
SESSION_KEY: Final = "tracer_proxy.session.key"
AGENT: Final = "tracer_proxy.agent"
CONFIG: Final = "tracer_proxy.config.hash"
JOINED_BY: Final = "tracer_proxy.joined_by"
EXTERNAL_ID: Final = "tracer_proxy.external_id"
ERROR: Final = "tracer_proxy.error"
ERROR_SIDE: Final = "tracer_proxy.error.side"
CLIENT_GONE: Final = "tracer_proxy.client_gone"
WORKER: Final = "tracer_proxy.worker"
INFERRED: Final = "tracer_proxy.inferred"
LINK_REASON: Final = "tracer_proxy.link.reason"
SHADOW: Final = "tracer_proxy.shadow"
STREAM_EVENTS: Final = "tracer_proxy.stream.events"

FIRST_BYTE: Final = "tracer_proxy.first_byte"
LAST_BYTE: Final = "tracer_proxy.last_byte"

OWN_ATTRIBUTES: Final = (
    COLOR,
    COLOR_SOURCE,
    ROUTE,
    LANE,
    LANE_INTENDED,
    POOL,
    ENDPOINT,
    FAILOVER,
    REUSED,
    SESSION_SOURCE,
    SESSION_KEY,
    AGENT,
    CONFIG,
    JOINED_BY,
    EXTERNAL_ID,
    ERROR,
    ERROR_SIDE,
    CLIENT_GONE,
    WORKER,
    INFERRED,
    LINK_REASON,
    SHADOW,
    STREAM_EVENTS,
)
OWN_EVENTS: Final = (FIRST_BYTE, LAST_BYTE)

CONTENT: Final = frozenset(
    (
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.tool.definitions",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
    )
)
"""What was said; only where content is captured."""
SESSION: Final = "session.id"
CONVERSATION: Final = "gen_ai.conversation.id"
ERROR_TYPE: Final = "error.type"

_V1_41: Final = "https://opentelemetry.io/schemas/1.41.0"
_GENAI_DEV: Final = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"
_CACHE_CREATION: Final = "gen_ai.usage.cache_creation.input_tokens"
_CACHE_WRITE: Final = "gen_ai.usage.cache_write.input_tokens"


@dataclass(frozen=True, slots=True)
class Profile:
    schema_url: str
    cache_creation: tuple[str, ...]
    """Tokens that a request put into the provider's cache."""
    previous_response: str = ""
    """The attribute's name; empty where there is none."""
    top_k: type[int] | type[float] = float
    has_message_finish_reason: bool = True
    """Each message of ``gen_ai.output.messages`` says why it ended."""
    has_conversation_on_tools: bool = False


_PREVIOUS: Final = "gen_ai.request.previous_response.id"

PROFILES: Final = {
    "v1.41": Profile(_V1_41, (_CACHE_CREATION,)),
    "genai-dev": Profile(_GENAI_DEV, (_CACHE_WRITE,), _PREVIOUS, int, False, True),
    # Both spellings where names differ. An attribute has one type only, so what differs in that stays as v1.41 has it.
    "dup": Profile(_V1_41, (_CACHE_CREATION, _CACHE_WRITE), _PREVIOUS, float, True, True),
}

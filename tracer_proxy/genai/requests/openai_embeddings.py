"""OpenAI's embeddings."""

from typing import Final

from tracer_proxy.genai.asked import Asked
from tracer_proxy.genai.requests.endpoint import OPERATIONS, Endpoint
from tracer_proxy.genai.requests.json_values import Members
from tracer_proxy.genai.requests.parameters import Table, name, parameters, strings, whole
from tracer_proxy.genai.requests.sessions import session_id

_PARAMETERS: Final[Table] = (
    ("encoding_format", "gen_ai.request.encoding_formats", strings),
    ("dimensions", "gen_ai.embeddings.dimension.count", whole),
)


def read(endpoint: Endpoint, body: Members, content_chars: int) -> Asked:
    """Content is never captured: the conventions have no place for what is embedded."""
    return Asked(
        endpoint.api,
        OPERATIONS[endpoint.api],
        name(body.get("model")) or endpoint.model,
        stream=False,
        parameters=parameters(body, _PARAMETERS),
        conversation_id="",
        session_id=session_id(body),
        previous_response_id="",
        results=(),
        history=(),
        prefix=b"",
    )

"""The provider's response headers. They repeat with the request: the processing time is made up, the id is a digest."""

from aiohttp import web

from tracer_proxy.mocks.llm import serving
from tracer_proxy.mocks.llm.openai.asked import PROMPT_TOKENS

_REQUESTS_A_MINUTE = 10_000
_TOKENS_A_MINUTE = 2_000_000
_MINUTE_MS = 60_000


async def add(request: web.Request, response: web.StreamResponse) -> None:
    """Those of every answer, and what is left of the rate limits where a model was asked."""
    response.headers["x-request-id"] = serving.request_ids(request).make("req_")
    response.headers["openai-processing-ms"] = "1"
    response.headers["openai-version"] = "2020-10-01"
    response.headers["openai-organization"] = "org-mock"
    if PROMPT_TOKENS in request:
        _add_limits(response, "requests", 1, _REQUESTS_A_MINUTE)
        _add_limits(response, "tokens", request[PROMPT_TOKENS], _TOKENS_A_MINUTE)


def _add_limits(response: web.StreamResponse, what: str, used: int, a_minute: int) -> None:
    """As if this request were the first in a long time."""
    response.headers[f"x-ratelimit-limit-{what}"] = str(a_minute)
    response.headers[f"x-ratelimit-remaining-{what}"] = str(max(0, a_minute - used))
    response.headers[f"x-ratelimit-reset-{what}"] = f"{-(-used * _MINUTE_MS // a_minute)}ms"

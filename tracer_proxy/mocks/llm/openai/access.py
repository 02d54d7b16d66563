"""Whose requests are answered: those of who brings a key, as OpenAI's clients or as Azure's do."""

from aiohttp import web

from tracer_proxy.mocks.llm.access import bearer, is_allowed
from tracer_proxy.mocks.llm.openai.errors import ApiError

_SHOWN = 4


def check_key(request: web.Request, keys: tuple[str, ...]) -> None:
    """Raises ``ApiError`` 401 unless the request brings one of the keys, or there are none to bring."""
    key = request.headers.get("api-key") or bearer(request)
    if is_allowed(key, keys):
        return
    if not key:
        message = "The request brings no API key: send it in the header 'Authorization: Bearer KEY', or 'api-key: KEY'."
        raise ApiError(401, message)
    message = f"The API key ending in '{key[-_SHOWN:]}' is not one of those this mock was given."
    raise ApiError(401, message, code="invalid_api_key")

"""Requests without a key that the settings name are refused."""

from aiohttp import web

from tracer_proxy.mocks.llm import access
from tracer_proxy.mocks.llm.openai.errors import ApiError

_SHOWN = 4


def check_key(request: web.Request, keys: tuple[str, ...]) -> None:
    """Raises ``ApiError`` 401 unless the request brings one of the keys, as OpenAI's clients or as Azure's do."""
    key = request.headers.get("api-key") or access.bearer(request)
    if access.is_allowed(key, keys):
        return
    if not key:
        message = "The request brings no API key: send it in the header 'Authorization: Bearer KEY', or 'api-key: KEY'."
        raise ApiError(401, message)
    message = f"The API key ending in '{key[-_SHOWN:]}' is not one of those this mock was given."
    raise ApiError(401, message, code="invalid_api_key")

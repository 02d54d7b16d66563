"""Whose requests are answered: anybody's, until the settings name keys."""

import hmac

from aiohttp import web

from tracer_proxy.mocks.llm.openai.errors import ApiError

_BEARER = "Bearer "
_SHOWN = 4


def check_key(request: web.Request, keys: tuple[str, ...]) -> None:
    """Raises ``ApiError`` 401 unless the request brings one of the keys, as OpenAI's clients or as Azure's do."""
    if not keys:
        return
    key = request.headers.get("api-key") or request.headers.get("authorization", "").removeprefix(_BEARER)
    if not key:
        message = "The request brings no API key: send it in the header 'Authorization: Bearer KEY', or 'api-key: KEY'."
        raise ApiError(401, message)
    if not any(hmac.compare_digest(_bytes(key), _bytes(known)) for known in keys):
        message = f"The API key ending in '{key[-_SHOWN:]}' is not one of those this mock was given."
        raise ApiError(401, message, code="invalid_api_key")


def _bytes(key: str) -> bytes:
    """Headers may hold anything; aiohttp spells bytes that are no text as surrogates."""
    return key.encode("utf-8", "surrogateescape")

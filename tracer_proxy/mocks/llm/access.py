"""Whose requests are answered: anybody's, until the settings name keys."""

import hmac

from aiohttp import web

_BEARER = "Bearer "


def is_allowed(key: str, keys: tuple[str, ...]) -> bool:
    """Whether a key is one of those known. Without any known key, every key will do, and none."""
    return not keys or any(hmac.compare_digest(_bytes(key), _bytes(known)) for known in keys)


def bearer(request: web.Request) -> str:
    """The key in the header ``authorization``; empty if there is none."""
    return request.headers.get("authorization", "").removeprefix(_BEARER)


def _bytes(key: str) -> bytes:
    """Headers may hold anything; aiohttp spells bytes that are no text as surrogates."""
    return key.encode("utf-8", "surrogateescape")

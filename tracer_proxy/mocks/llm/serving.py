"""A request's body in, an answer or a stream out: what all providers share. A stream is paced and written here alone."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tracer_proxy import limits
from tracer_proxy.mocks import json_text, recording
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.ids import Ids
from tracer_proxy.mocks.llm.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
EVENT_STREAM = "text/event-stream; charset=utf-8"
_JSON_TYPES = ("application/json", "application/octet-stream")
"""The second is also what aiohttp reports when the header is missing."""
_STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class Refused(Exception):
    """A refused request: the status, and one sentence for who sent it. ``code`` is the kind of fault, where that is known."""

    def __init__(self, status: int, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


def refusals(envelope: Callable[[web.Request, Refused], JsonObject]) -> Middleware:
    """Answers every refusal, those of the HTTP server included, in a provider's JSON."""

    @web.middleware
    async def answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as error:
            return answer(envelope(request, error), error.status)
        except web.HTTPException as error:
            response = answer(envelope(request, _from_http(request, error)), error.status)
            if "allow" in error.headers:
                response.headers["allow"] = error.headers["allow"]
            return response

    return answer_refusals


async def read_json(request: web.Request) -> object:
    """The JSON value that was sent; raises ``Refused``."""
    if request.content_type not in _JSON_TYPES:
        message = f"The content type has to be application/json, not '{request.content_type}'."
        raise Refused(400, message, code="unsupported_content_type")
    try:
        return await recording.read_json(request)
    except json_text.BadJson as error:
        raise Refused(400, str(error), code="invalid_json") from None
    except (ConnectionError, web.RequestPayloadError) as error:
        raise Refused(400, f"The request body could not be read: {error}.") from None


def answer(value: JsonObject, status: int = 200) -> web.Response:
    """A whole answer."""
    return web.Response(body=json_text.write(value), status=status, content_type="application/json")


async def stream(request: web.Request, parts: Iterable[bytes], content_type: str = EVENT_STREAM) -> web.StreamResponse:
    """Send each part by its own write. Sleeping, be it for no time, lets the loop flush what was written before."""
    response = web.StreamResponse(headers={"content-type": content_type, **_STREAM_HEADERS})
    interval_s = request.app[SETTINGS].token_interval_s
    try:
        await response.prepare(request)
        for number, part in enumerate(parts):
            if number:
                await asyncio.sleep(interval_s)
            await response.write(part)
    except ConnectionError:
        pass  # The client has hung up, as it may at any time.
    return response


def trace_id(request: web.Request) -> bytes:
    """The trace the request belongs to; W3C Trace Context 3.2.2: version, trace id, parent id, flags."""
    return request.headers.get("traceparent", "")[3:35].encode()


def request_ids(request: web.Request) -> Ids:
    """Draws for the headers: they repeat with the method, the path and the body."""
    said = f"{request.method} {request.path} ".encode() + request.get(recording.BODY_DIGEST, b"")
    return Ids(hashlib.sha256(said).digest())


def _from_http(request: web.Request, error: web.HTTPException) -> Refused:
    what = f"{request.method} {request.path}"
    match error.status:
        case 404:
            return Refused(404, f"The mock has no {what}.", code="unknown_url")
        case 405:
            allowed = ", ".join(sorted(error.allowed_methods)) if isinstance(error, web.HTTPMethodNotAllowed) else ""
            return Refused(405, f"{what} is not possible; allowed: {allowed}.", code="method_not_allowed")
        case 413:
            message = f"The request body is larger than {limits.MOCK_REQUEST_BYTES_MAX // limits.MiB} MiB."
            return Refused(413, message, code="request_too_large")
    return Refused(error.status, f"{what}: {error.reason}.")

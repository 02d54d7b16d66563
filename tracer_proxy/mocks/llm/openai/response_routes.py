"""The endpoints under ``/v1/responses``."""

from aiohttp import web

from tracer_proxy import limits
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import serving
from tracer_proxy.mocks.llm.ids import Ids
from tracer_proxy.mocks.llm.openai import response_stream
from tracer_proxy.mocks.llm.openai.asked import ask, read_body
from tracer_proxy.mocks.llm.openai.errors import ApiError, wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields
from tracer_proxy.mocks.llm.openai.response import respond, under_way
from tracer_proxy.mocks.llm.openai.response_items import written_out
from tracer_proxy.mocks.llm.openai.response_request import read_response_request
from tracer_proxy.mocks.llm.openai.response_store import ResponseStore

STORE = web.AppKey("responses", ResponseStore)
_PAGE = 20


async def create(request: web.Request) -> web.StreamResponse:
    """Answer; a background response is whole by the time it is first asked for."""
    asked = read_response_request(await read_body(request), request.app[STORE])
    ask(request, asked.conversation.model, asked.prompt_tokens, "input")
    response = respond(asked, serving.trace_id(request))
    if asked.store:
        request.app[STORE].add(response, written_out(asked.inputs, Ids(asked.digest)))
    if asked.stream:
        return await serving.stream(request, response_stream.events(response))
    return serving.answer(under_way(response, "queued") if asked.background else response)


async def count_input(request: web.Request) -> web.Response:
    """How many tokens the prompt of such a request has."""
    asked = read_response_request(await read_body(request), request.app[STORE])
    return serving.answer({"object": "response.input_tokens", "input_tokens": asked.prompt_tokens})


async def fetch(request: web.Request) -> web.StreamResponse:
    """A response that was kept, or its stream from some event on."""
    response = request.app[STORE].get(request.match_info["response"]).response
    if request.query.get("stream") != "true":
        return serving.answer(response)
    after = _number(request, "starting_after", -1)
    return await serving.stream(request, response_stream.events(response, after))


async def delete(request: web.Request) -> web.Response:
    """Forget a response."""
    response_id = request.match_info["response"]
    request.app[STORE].delete(response_id)
    return serving.answer({"id": response_id, "object": "response", "deleted": True})


async def cancel(request: web.Request) -> web.Response:
    """Only a background response can be cancelled; here it is done already."""
    response = request.app[STORE].get(request.match_info["response"]).response
    if not response["background"]:
        raise ApiError(400, "Only a background response can be cancelled: this one was created without 'background'.")
    return serving.answer(response)


async def list_input(request: web.Request) -> web.Response:
    """The items a response was given, newest first unless asked otherwise, page by page."""
    items = list(request.app[STORE].get(request.match_info["response"]).inputs)
    if Fields({"order": "desc", **request.query}).choice("order", ("asc", "desc")) == "desc":
        items.reverse()
    rest = _after(items, request.query.get("after"))
    page = rest[: _limit(request)]
    return serving.answer(
        {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(rest) > len(page),
        }
    )


def _after(items: list[JsonObject], item_id: str | None) -> list[JsonObject]:
    if item_id is None:
        return items
    ids = [item["id"] for item in items]
    if item_id not in ids:
        raise wrong_value("after", f"The response has no input item '{item_id}'.")
    return items[ids.index(item_id) + 1 :]


def _limit(request: web.Request) -> int:
    limit = _number(request, "limit", _PAGE)
    if not 1 <= limit <= limits.MOCK_INPUT_ITEMS_PAGE_MAX:
        raise wrong_value("limit", f"The field 'limit' has to be from 1 to {limits.MOCK_INPUT_ITEMS_PAGE_MAX}.")
    return limit


def _number(request: web.Request, name: str, usual: int) -> int:
    text = request.query.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise wrong_value(name, f"The field '{name}' has to be a whole number.")
    return int(text)

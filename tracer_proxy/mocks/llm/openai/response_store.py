"""The responses that can still be fetched or continued. Those that nobody has used for longest give way."""

from collections import OrderedDict
from dataclasses import dataclass

from tracer_proxy import limits
from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.openai.errors import ApiError


@dataclass(frozen=True, slots=True)
class Stored:
    """A response as it was given out, and what it was given to answer."""

    response: JsonObject
    inputs: tuple[JsonObject, ...]
    previous: str | None
    size: int


class ResponseStore:
    """Responses by id. Equal requests in one trace have one response, and one id."""

    def __init__(self) -> None:
        self._stored: OrderedDict[str, Stored] = OrderedDict()
        self._bytes = 0

    def __repr__(self) -> str:
        return f"<ResponseStore {len(self._stored)} responses>"

    def add(self, response: JsonObject, inputs: list[JsonObject]) -> None:
        """Keep a response; it takes the place of one with the same id."""
        self._drop(response["id"])
        size = len(json_text.write([response, inputs]))
        self._stored[response["id"]] = Stored(response, tuple(inputs), response["previous_response_id"], size)
        self._bytes += size
        while len(self._stored) > limits.MOCK_RESPONSES_MAX or self._bytes > limits.MOCK_RESPONSES_BYTES_MAX:
            self._bytes -= self._stored.popitem(last=False)[1].size

    def get(self, response_id: str) -> Stored:
        """A response; raises ``ApiError`` 404 if it is not there (any more)."""
        found = self._use(response_id)
        if found is None:
            raise ApiError(404, f"Response with id '{response_id}' not found.")
        return found

    def delete(self, response_id: str) -> None:
        """Forget a response; raises ``ApiError`` 404 if it is not there."""
        self.get(response_id)
        self._drop(response_id)

    def history(self, response_id: str | None) -> list[JsonObject]:
        """All items said up to a response, and in it; raises ``ApiError`` if one of those before it is not there."""
        turns: list[Stored] = []
        while response_id is not None:
            found = self._use(response_id)
            if found is None:
                message = f"Previous response with id '{response_id}' not found."
                raise ApiError(400, message, param="previous_response_id", code="previous_response_not_found")
            turns.append(found)
            response_id = found.previous
        return [item for turn in reversed(turns) for item in (*turn.inputs, *turn.response["output"])]

    def item(self, item_id: str) -> JsonObject:
        """An item of any response kept; raises ``ApiError`` 404."""
        for stored in reversed(self._stored.values()):
            items: tuple[JsonObject, ...] = (*stored.response["output"], *stored.inputs)
            for item in items:
                if item["id"] == item_id:
                    return item
        raise ApiError(404, f"Item with id '{item_id}' not found.", param="input")

    def _use(self, response_id: str) -> Stored | None:
        found = self._stored.get(response_id)
        if found is not None:
            self._stored.move_to_end(response_id)
        return found

    def _drop(self, response_id: str) -> None:
        dropped = self._stored.pop(response_id, None)
        if dropped is not None:
            self._bytes -= dropped.size

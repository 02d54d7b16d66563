"""Threads (a beta): conversations of which each request brings only what is new. Those not used for longest give way.

The provider lets a message be continued once only. The mock does not mind: two equal conversations have equal ids here.
"""

import json
from collections import OrderedDict
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.anthropic.fields import Fields
from tracer_proxy.mocks.llm.serving import Refused

_SET_AT_START = ("system", "tools")


class Threads:
    """What was said up to a message, by the message's id."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def __repr__(self) -> str:
        return f"<Threads {len(self._kept)} messages>"

    def whole(self, body: Any) -> Any:
        """A request with all that its thread holds, and without the thread; raises ``Refused``."""
        thread = Fields(body).object("thread")
        if thread is None:
            return body
        asked = {name: value for name, value in body.items() if name != "thread"}
        if thread.choice("type", ("create", "continue")) == "create":
            return asked
        held = self._held(thread.text("previous_message_id"))
        return {**asked, **held, "messages": [*held["messages"], *(Fields(body).items("messages") or [])]}

    def keep(self, asked: JsonObject, message: JsonObject) -> None:
        """Hold what a whole request and its answer said."""
        messages = [*asked["messages"], {"role": "assistant", "content": message["content"]}]
        held = {name: asked[name] for name in _SET_AT_START if name in asked}
        text = json_text.write({**held, "messages": messages})
        self._bytes += len(text) - len(self._kept.pop(message["id"], b""))
        self._kept[message["id"]] = text
        while len(self._kept) > limits.MOCK_RESPONSES_MAX or self._bytes > limits.MOCK_RESPONSES_BYTES_MAX:
            self._bytes -= len(self._kept.popitem(last=False)[1])

    def _held(self, message_id: str) -> JsonObject:
        text = self._kept.get(message_id)
        if text is None:
            message = f"No usable Thread state was found for `previous_message_id` {message_id}."
            raise Refused(404, message, code="thread_not_found")
        self._kept.move_to_end(message_id)
        held: JsonObject = json.loads(text)
        return held

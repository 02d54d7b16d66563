"""From a response request to the response: items, usage, status, and what it repeats of the request."""

import base64

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import answer, ending, tokens
from tracer_proxy.mocks.llm.conversation import Reply, ToolCall
from tracer_proxy.mocks.llm.ids import Ids
from tracer_proxy.mocks.llm.openai import logprobs, strict_schema
from tracer_proxy.mocks.llm.openai.chat import SERVICE_TIER
from tracer_proxy.mocks.llm.openai.response_request import ResponseRequest

_ID_DIGITS = 48
_CALL_ID_DIGITS = 24
_REPEATED: JsonObject = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, and what it says where that says nothing."""
_UNDER_WAY: JsonObject = {"output": [], "usage": None, "completed_at": None, "incomplete_details": None}


def respond(request: ResponseRequest, trace: bytes) -> JsonObject:
    """The whole response. What it says never hangs on ``trace``, but its ids do, as those of chats."""
    ids = Ids(request.digest + trace)
    said = answer.reply(request.conversation, Ids(request.digest), 0)
    ended = ending.end(said, (), request.tokens_max)
    status = "incomplete" if ended.is_cut else "completed"
    return {
        "id": ids.make("resp_", hex_digits=_ID_DIGITS),
        "object": "response",
        "created_at": ids.created_s(),
        "status": status,
        "background": request.background,
        "completed_at": None if ended.is_cut else ids.created_s(),
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if ended.is_cut else None,
        "model": request.conversation.model,
        "output": _output(ended.reply, request, ids, status),
        "service_tier": SERVICE_TIER,
        "store": request.store,
        "usage": _usage(request, ended.reply),
        **_repeated(request),
    }


def under_way(response: JsonObject, status: str) -> JsonObject:
    """The response as it looked before anything was said."""
    return {**response, **_UNDER_WAY, "status": status}


def _output(reply: Reply, request: ResponseRequest, ids: Ids, status: str) -> list[JsonObject]:
    """Reasoning, then the message or the calls. Only the last item can have broken off."""
    items = [_reasoning(reply, request, ids)] if reply.reasoning else []
    if reply.text:
        items.append(_message(reply.text, request, ids))
    items += [_call(call, ids, number) for number, call in enumerate(reply.calls)]
    if items:
        items[-1] = {**items[-1], "status": status}
    return items


def _reasoning(reply: Reply, request: ResponseRequest, ids: Ids) -> JsonObject:
    summary = [{"type": "summary_text", "text": reply.reasoning}] if request.summarises else []
    item = {"id": ids.make("rs_", hex_digits=_ID_DIGITS), "type": "reasoning", "summary": summary, "status": "completed"}
    if request.encrypts:
        sealed = base64.urlsafe_b64encode(ids.make("sealed_").encode()).decode("ascii")
        return {**item, "encrypted_content": sealed}
    return item


def _message(text: str, request: ResponseRequest, ids: Ids) -> JsonObject:
    likely = [] if request.logprobs is None else logprobs.of_text(text, request.logprobs)
    return {
        "id": ids.make("msg_", hex_digits=_ID_DIGITS),
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": likely}],
    }


def _call(call: ToolCall, ids: Ids, number: int) -> JsonObject:
    return {
        "id": ids.make("fc_", number=number, hex_digits=_ID_DIGITS),
        "type": "function_call",
        "call_id": ids.make("call_", number=number, hex_digits=_CALL_ID_DIGITS),
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }


def _usage(request: ResponseRequest, reply: Reply) -> JsonObject:
    """The numbers are estimates (``tokens.py``), and the same whether the answer is streamed or not."""
    said = ending.count(reply)
    return {
        "input_tokens": request.prompt_tokens,
        "input_tokens_details": {"cached_tokens": request.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": tokens.count(reply.reasoning)},
        "total_tokens": request.prompt_tokens + said,
    }


def _repeated(request: ResponseRequest) -> JsonObject:
    asked = request.fields
    plain = {name: usual if asked.get(name) is None else asked[name] for name, usual in _REPEATED.items()}
    return {
        **plain,
        "reasoning": {"effort": None, "summary": None, **(asked.get("reasoning") or {})},
        "text": {"format": {"type": "text"}, "verbosity": "medium", **_given(asked.get("text"))},
        "tools": [_tool(tool) for tool in asked.get("tools") or []],
    }


def _tool(tool: JsonObject) -> JsonObject:
    """Functions are strict unless the request says otherwise, or their schema is not fit for it."""
    if tool["type"] != "function":
        return tool
    parameters = tool.get("parameters")
    strict = tool.get("strict")
    if strict is None:
        strict = parameters is not None and strict_schema.fault(parameters) is None
    return {**tool, "description": tool.get("description"), "parameters": parameters, "strict": strict}


def _given(part: JsonObject | None) -> JsonObject:
    return {name: value for name, value in (part or {}).items() if value is not None}

"""Whatever JSON is sent, the answer is what the client's types say or the provider's error, never a crash."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import Completion, CreateEmbeddingResponse, ModerationCreateResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import BaseModel

from tracer_proxy.mocks import llm

Post = Callable[[str, bytes], tuple[int, bytes]]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
structure = st.sampled_from(
    ("type", "properties", "required", "items", "prefixItems", "enum", "const", "default", "$ref", "allOf", "anyOf")
)
bounds = st.sampled_from(("minItems", "maxItems", "minLength", "maxLength", "minimum", "exclusiveMaximum", "multipleOf"))
keywords = structure | bounds
words = st.sampled_from(["object", "array", "string", "integer", "number", "null", "function", "user", "tool", "text", "#"])
anything = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keywords | st.text(), inner, max_size=5),
    max_leaves=20,
)


def maybe(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Nearly always what belongs there, so that the rest of the request is looked at too."""
    return st.integers(0, 30).flatmap(lambda die: anything if die == 17 else usual)


schemas = st.dictionaries(keywords, anything, max_size=6)
functions = st.fixed_dictionaries({"name": maybe(st.just("f"))}, optional={"parameters": maybe(schemas)})
tools = st.lists(
    maybe(st.fixed_dictionaries({"type": maybe(st.just("function")), "function": maybe(functions)})), min_size=1, max_size=3
)
parts = st.fixed_dictionaries({"type": maybe(st.just("text")), "text": maybe(st.text())})
messages = st.fixed_dictionaries(
    {"role": maybe(st.sampled_from(["user", "system", "assistant"])), "content": maybe(st.text() | st.lists(parts))}
)
bodies = st.fixed_dictionaries(
    {"model": maybe(st.text()), "messages": maybe(st.lists(maybe(messages), min_size=1, max_size=4))},
    optional={
        "tools": maybe(tools),
        "tool_choice": maybe(st.sampled_from(["auto", "none", "required"])),
        "n": maybe(st.integers(1, 3)),
        "stop": maybe(st.text()),
        "max_tokens": maybe(st.integers(1, 50)),
        "response_format": maybe(
            st.fixed_dictionaries(
                {
                    "type": maybe(st.just("json_schema")),
                    "json_schema": st.fixed_dictionaries({"name": maybe(st.just("s")), "schema": maybe(schemas)}),
                }
            )
        ),
    },
)

message_items = st.fixed_dictionaries(
    {"role": maybe(st.sampled_from(["user", "system", "assistant"])), "content": maybe(st.text() | st.lists(parts))}
)
call_items = st.fixed_dictionaries(
    {
        "type": st.just("function_call"),
        "call_id": maybe(st.just("c")),
        "name": maybe(st.just("f")),
        "arguments": maybe(st.just("{}")),
    }
)
output_items = st.fixed_dictionaries(
    {"type": st.just("function_call_output"), "call_id": maybe(st.just("c")), "output": maybe(st.text())}
)
other_items = st.fixed_dictionaries(
    {"type": st.sampled_from(["reasoning", "item_reference", "web_search_call", "smell"])},
    optional={"id": maybe(st.text()), "summary": maybe(st.just([]))},
)
response_tools = st.lists(
    maybe(
        st.fixed_dictionaries(
            {"type": maybe(st.just("function")), "name": maybe(st.just("f"))},
            optional={"parameters": maybe(schemas), "strict": maybe(st.booleans())},
        )
    ),
    max_size=2,
)
asked = st.fixed_dictionaries(
    {
        "model": maybe(st.text()),
        "input": maybe(st.text() | st.lists(maybe(message_items | call_items | output_items | other_items), max_size=4)),
    },
    optional={
        "instructions": maybe(st.text()),
        "tools": maybe(response_tools),
        "tool_choice": maybe(st.sampled_from(["auto", "none", "required"])),
        "reasoning": maybe(st.fixed_dictionaries({"effort": maybe(st.just("low"))}, optional={"summary": anything})),
        "include": maybe(st.lists(st.sampled_from(["reasoning.encrypted_content", "message.output_text.logprobs"]))),
        "top_logprobs": maybe(st.integers(0, 3)),
        "max_output_tokens": maybe(st.integers(16, 40)),
        "metadata": maybe(st.just({})),
        "text": maybe(st.fixed_dictionaries({"format": maybe(st.just({"type": "json_object"}))})),
        "previous_response_id": anything,
    },
)
inputs = st.fixed_dictionaries(
    {"model": maybe(st.text())},
    optional={
        "input": st.text() | st.lists(st.text() | st.integers() | st.lists(st.integers())) | anything,
        "prompt": st.text() | st.lists(st.text() | st.integers() | st.lists(st.integers())) | anything,
        "dimensions": maybe(st.integers(1, 9)),
        "logprobs": maybe(st.integers(0, 5)),
        "max_tokens": maybe(st.integers(0, 40)),
        "echo": maybe(st.booleans()),
    },
)


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """Sends a body to one mock that serves all examples."""
    with asyncio.Runner() as runner:
        running = runner.run(llm.serve("127.0.0.1:0"))
        session = runner.run(_open_session(running.address))
        yield lambda path, body: runner.run(_post(session, path, body))
        runner.run(session.close())
        runner.run(running.stop())


async def _open_session(address: str) -> ClientSession:
    return ClientSession(f"http://{address}")


async def _post(session: ClientSession, path: str, body: bytes) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"}
    async with session.post(path, data=body, headers=headers) as response:
        return response.status, await response.read()


ANSWERS: dict[str, type[BaseModel]] = {
    "/v1/chat/completions": ChatCompletion,
    "/v1/completions": Completion,
    "/v1/embeddings": CreateEmbeddingResponse,
    "/v1/moderations": ModerationCreateResponse,
    "/v1/responses": Response,
}
paths = st.sampled_from(sorted(ANSWERS))


def check(path: str, status: int, answer: bytes) -> None:
    read = json.loads(answer)
    if status == 200:
        ANSWERS[path].model_validate(read)
    else:
        assert status in (400, 404)
        assert read["error"].keys() == {"message", "type", "param", "code"}


@given(path=paths, body=anything)
@settings(deadline=None)
def test_any_json(post: Post, path: str, body: Any) -> None:
    check(path, *post(path, json.dumps(body).encode()))


@given(body=bodies)
@settings(deadline=None, max_examples=300)
def test_chats_that_are_nearly_right(post: Post, body: Any) -> None:
    check("/v1/chat/completions", *post("/v1/chat/completions", json.dumps(body).encode()))


@given(body=asked)
@settings(deadline=None, max_examples=300)
def test_responses_that_are_nearly_right(post: Post, body: Any) -> None:
    check("/v1/responses", *post("/v1/responses", json.dumps(body).encode()))


@given(path=paths, body=inputs)
@settings(deadline=None, max_examples=200)
def test_inputs_that_are_nearly_right(post: Post, path: str, body: Any) -> None:
    check(path, *post(path, json.dumps(body).encode()))


@given(path=paths, body=st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes(post: Post, path: str, body: bytes) -> None:
    status, answer = post(path, body)
    assert status == 400
    assert json.loads(answer)["error"]["type"] == "invalid_request_error"

"""Whatever JSON is sent, the answer is a completion or the provider's error, never a crash."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from tracer_proxy.mocks import llm

Post = Callable[[bytes], tuple[int, bytes]]

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


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """Sends a body to one mock that serves all examples."""
    with asyncio.Runner() as runner:
        running = runner.run(llm.serve("127.0.0.1:0"))
        session = runner.run(_open_session(running.address))
        yield lambda body: runner.run(_post(session, body))
        runner.run(session.close())
        runner.run(running.stop())


async def _open_session(address: str) -> ClientSession:
    return ClientSession(f"http://{address}")


async def _post(session: ClientSession, body: bytes) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"}
    async with session.post("/v1/chat/completions", data=body, headers=headers) as response:
        return response.status, await response.read()


def check(status: int, answer: bytes) -> None:
    read = json.loads(answer)
    if status == 200:
        ChatCompletion.model_validate(read)
    else:
        assert status == 400
        assert read["error"].keys() == {"message", "type", "param", "code"}


@given(body=anything)
@settings(deadline=None)
def test_any_json(post: Post, body: Any) -> None:
    check(*post(json.dumps(body).encode()))


@given(body=bodies)
@settings(deadline=None, max_examples=300)
def test_requests_that_are_nearly_right(post: Post, body: Any) -> None:
    check(*post(json.dumps(body).encode()))


@given(body=st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes(post: Post, body: bytes) -> None:
    status, answer = post(body)
    assert status == 400
    assert json.loads(answer)["error"]["type"] == "invalid_request_error"

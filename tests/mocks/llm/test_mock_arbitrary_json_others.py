"""Whatever JSON is sent to any provider, the answer is its own or its error, never a crash."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession
from anthropic.types import Message
from google.genai.types import GenerateContentResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer_proxy.mocks import llm

Post = Callable[[str, bytes], tuple[int, Any]]

CLAUDE, GEMINI, OLLAMA = "/v1/messages", "/v1beta/models/m:generateContent", "/api/chat"
HEADERS = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
NAMES = st.sampled_from(
    ("type", "text", "role", "content", "parts", "id", "name", "input", "model", "messages", "contents", "thinking", "source")
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
anything = st.recursive(
    scalars | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=4),
    max_leaves=15,
)


def maybe(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Nearly always what belongs there, so that the rest of the request is looked at too."""
    return st.integers(0, 25).flatmap(lambda die: anything if die == 13 else usual)


def record(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object from which any member may be missing or be something else."""
    return st.fixed_dictionaries({}, optional={name: maybe(value) for name, value in members.items()})


schema = st.dictionaries(st.sampled_from(("type", "properties", "items", "enum", "anyOf", "minItems")), anything, max_size=4)
call_ids = st.sampled_from(("a", "b"))
block = st.one_of(
    record(type=st.just("text"), text=st.text(min_size=1), cache_control=st.just({"type": "ephemeral"})),
    record(type=st.just("tool_use"), id=call_ids, name=st.just("f"), input=st.just({})),
    record(type=st.just("tool_result"), tool_use_id=call_ids, content=st.text()),
    record(type=st.sampled_from(("image", "document")), source=record(type=st.just("text"), data=st.text())),
)
claude_bodies = st.fixed_dictionaries(
    {
        "model": maybe(st.just("m")),
        "max_tokens": maybe(st.integers(0, 3000)),
        "messages": maybe(
            st.lists(record(role=st.sampled_from(("user", "assistant")), content=st.text() | st.lists(block)), max_size=4)
        ),
    },
    optional={
        "tools": maybe(st.lists(record(name=st.just("f"), input_schema=schema), max_size=2)),
        "tool_choice": record(type=st.sampled_from(("auto", "any", "none"))),
        "thinking": record(type=st.sampled_from(("enabled", "adaptive")), budget_tokens=st.just(1024)),
        "stop_sequences": maybe(st.lists(st.text(), max_size=2)),
        "output_config": record(format=record(type=st.just("json_schema"), schema=schema)),
        "system": maybe(st.text() | st.lists(block)),
    },
)
part = st.one_of(
    record(text=st.text()),
    record(functionCall=record(name=st.just("f"), args=st.just({}))),
    record(functionResponse=record(name=st.just("f"), response=st.just({"result": 1}))),
    record(inlineData=record(mimeType=st.just("image/png"), data=st.text())),
)
gemini_bodies = st.fixed_dictionaries(
    {
        "contents": maybe(
            st.lists(record(role=st.sampled_from(("user", "model")), parts=st.lists(part, min_size=1)), max_size=4)
        )
    },
    optional={
        "tools": maybe(
            st.lists(record(functionDeclarations=st.lists(record(name=st.just("f"), parameters=schema))), max_size=2)
        ),
        "toolConfig": record(functionCallingConfig=record(mode=st.sampled_from(("ANY", "AUTO", "NONE")))),
        "generationConfig": record(
            maxOutputTokens=st.integers(1, 50),
            stopSequences=st.lists(st.text(), max_size=2),
            candidateCount=st.integers(1, 3),
            responseMimeType=st.just("application/json"),
            responseSchema=schema,
            thinkingConfig=record(includeThoughts=st.booleans(), thinkingBudget=st.integers(-1, 9)),
        ),
    },
)
ollama_bodies = st.fixed_dictionaries(
    {"model": maybe(st.just("m")), "stream": maybe(st.just(False))},
    optional={
        "messages": maybe(
            st.lists(
                record(
                    role=st.sampled_from(("user", "assistant", "tool")),
                    content=st.text(),
                    tool_calls=st.lists(record(function=record(name=st.just("f"))), max_size=2),
                ),
                max_size=4,
            )
        ),
        "tools": maybe(st.lists(record(function=record(name=st.just("f"), parameters=schema)), max_size=2)),
        "format": maybe(st.just("json") | schema),
        "options": record(num_predict=st.integers(-2, 20), stop=st.text() | st.lists(st.text())),
        "think": st.booleans(),
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


async def _post(session: ClientSession, path: str, body: bytes) -> tuple[int, Any]:
    async with session.post(path, data=body, headers=HEADERS) as response:
        return response.status, [json.loads(line) for line in (await response.read()).split(b"\n") if line]


def check(post: Post, path: str, body: Any) -> None:
    """A whole answer that the client's own type takes, or a refusal of the right shape."""
    status, (read, *_) = post(path, json.dumps(body).encode())
    assert status in (200, 400)
    match path, status:
        case "/v1/messages", 200:
            Message.model_validate(read)
        case "/v1/messages", _:
            assert read["error"]["type"] == "invalid_request_error"
        case "/api/chat", 200:
            assert read["model"] == body["model"]
        case "/api/chat", _:
            assert read.keys() == {"error"}
        case _, 200:
            assert GenerateContentResponse.model_validate(read).candidates
        case _, _:
            assert read["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("path", [CLAUDE, GEMINI, OLLAMA])
@given(body=anything)
@settings(deadline=None)
def test_any_json(post: Post, path: str, body: Any) -> None:
    check(post, path, body)


@given(body=claude_bodies)
@settings(deadline=None, max_examples=200)
def test_messages_that_are_nearly_right(post: Post, body: Any) -> None:
    check(post, CLAUDE, body)


@given(body=gemini_bodies)
@settings(deadline=None, max_examples=200)
def test_contents_that_are_nearly_right(post: Post, body: Any) -> None:
    check(post, GEMINI, body)


@given(body=ollama_bodies)
@settings(deadline=None, max_examples=200)
def test_chats_that_are_nearly_right(post: Post, body: Any) -> None:
    check(post, OLLAMA, body)

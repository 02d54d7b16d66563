"""``/v1/embeddings`` as the official client reads it."""

import base64
import io
import json
import math
import struct
from typing import Any

import openai
import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI

from tracer_proxy import limits

JSON_TYPE = {"content-type": "application/json"}
SMALL = "text-embedding-3-small"


def likeness(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("model", "dimensions"), [(SMALL, 1536), ("text-embedding-3-large", 3072), ("text-embedding-ada-002", 1536)]
)
async def test_a_vector_has_the_models_length_and_is_of_unit_length(
    lenient_client: AsyncOpenAI, model: str, dimensions: int
) -> None:
    answer = await lenient_client.embeddings.create(model=model, input="The cat sat on the mat.")
    (vector,) = [item.embedding for item in answer.data]
    assert len(vector) == dimensions
    assert math.isclose(likeness(vector, vector), 1, abs_tol=1e-5)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 4


async def test_a_batch_comes_back_in_order_and_like_texts_are_alike(lenient_client: AsyncOpenAI) -> None:
    texts = ["The cat sat on the mat.", "A cat is sitting on a mat.", "Interest rates rose again in May."]
    answer = await lenient_client.embeddings.create(model=SMALL, input=texts, dimensions=256)
    assert [item.index for item in answer.data] == [0, 1, 2]
    cat, other_cat, money = [item.embedding for item in answer.data]
    assert {len(cat), len(other_cat), len(money)} == {256}
    assert likeness(cat, other_cat) > likeness(cat, money) + 0.2
    (alone,) = (await lenient_client.embeddings.create(model=SMALL, input=texts[1], dimensions=256)).data
    assert alone.embedding == other_cat


async def test_numbers_and_base64_say_the_same(client: AsyncOpenAI, http: ClientSession) -> None:
    """The client asks for base64 unless it is told otherwise."""
    numbers = await client.embeddings.create(model=SMALL, input="cat", encoding_format="float")
    async with http.post("/v1/embeddings", json={"model": SMALL, "input": "cat", "encoding_format": "base64"}) as response:
        packed = base64.b64decode((await response.json())["data"][0]["embedding"])
    unpacked = struct.unpack(f"<{len(packed) // 4}f", packed)
    assert all(math.isclose(a, b, abs_tol=1e-7) for a, b in zip(numbers.data[0].embedding, unpacked, strict=True))


async def test_token_numbers_are_texts_too(lenient_client: AsyncOpenAI) -> None:
    one = await lenient_client.embeddings.create(model=SMALL, input=[5, 6, 7])
    several = await lenient_client.embeddings.create(model=SMALL, input=[[5, 6, 7], [9]])
    assert one.usage.prompt_tokens == 3
    assert several.usage.prompt_tokens == 4
    assert several.data[0].embedding == one.data[0].embedding


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"model": None}, "model", "missing_required_parameter"),
    ({"input": None}, "input", "missing_required_parameter"),
    ({"input": 1}, "input", "invalid_type"),
    ({"input": []}, "input", "invalid_value"),
    ({"input": ""}, "input", "invalid_value"),
    ({"input": ["a", ""]}, "input", "invalid_value"),
    ({"input": ["a", 1]}, "input[1]", "invalid_type"),
    ({"input": [[1], []]}, "input[1]", "invalid_type"),
    ({"input": [[1], [True]]}, "input[1]", "invalid_type"),
    ({"input": ["a"] * (limits.MOCK_EMBEDDINGS_MAX + 1)}, "input", "invalid_value"),
    ({"input": ["word " * 8000] * 50}, "input", "max_tokens_per_request"),
    ({"input": "word " * 9000}, "input", "context_length_exceeded"),
    ({"encoding_format": "hex"}, "encoding_format", "invalid_value"),
    ({"dimensions": 0}, "dimensions", "invalid_value"),
    ({"dimensions": 1537}, "dimensions", "invalid_value"),
    ({"model": "text-embedding-ada-002", "dimensions": 5}, "dimensions", "invalid_value"),
]


@pytest.mark.parametrize(("change", "param", "code"), REFUSED)
async def test_what_the_provider_refuses(http: ClientSession, change: dict[str, Any], param: str, code: str | None) -> None:
    body = json.dumps({"model": SMALL, "input": "a", **change}).encode()
    async with http.post("/v1/embeddings", data=io.BytesIO(body), headers=JSON_TYPE) as response:
        error = (await response.json())["error"]
    assert (response.status, error["param"], error["code"]) == (400, param, code)


async def test_the_client_raises_bad_request(lenient_client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        await lenient_client.embeddings.create(model=SMALL, input="")

"""Refusals of Gemini's API: the provider's envelope, and the exception that the official client makes of it."""

from typing import Any

import pytest
from aiohttp import ClientSession
from google import genai
from google.genai import errors, types

from tracer_proxy.mocks import llm

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")  # the client's own

PATH = "/v1beta/models/gemini-3.8-flash:generateContent"
USER = {"role": "user", "parts": [{"text": "hi"}]}
CALL = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
RESULT = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": 1}}}]}
DECLARED = {"tools": [{"functionDeclarations": [{"name": "f"}]}]}


def calling(**config: Any) -> dict[str, Any]:
    return {**DECLARED, "toolConfig": {"functionCallingConfig": config}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"contents": None}, "* GenerateContentRequest.contents: contents is not specified"),
    ({"contents": []}, "* GenerateContentRequest.contents: contents is not specified"),
    ({"contents": "hi"}, "Invalid value at 'contents': expected an array"),
    ({"contents": [{**USER, "role": "assistant"}]}, "Please use a valid role: user, model."),
    ({"contents": [{"role": "user", "parts": []}]}, "* GenerateContentRequest.contents[0].parts: contents.parts must not be"),
    ({"contents": [{"parts": [{}]}]}, "* GenerateContentRequest.contents[0].parts[0].data: exactly one field"),
    ({"contents": [{"parts": [{"text": 7}]}]}, "Invalid value at 'contents[0].parts[0].text': expected a string"),
    ({"contents": [{**USER, "name": "x"}]}, "Invalid JSON payload received. Unknown name \"name\" at 'contents[0]'"),
    ({"messages": []}, 'Invalid JSON payload received. Unknown name "messages": Cannot find field.'),
    ({"contents": [USER, RESULT]}, "Please ensure that function response turn comes immediately after a function call turn."),
    ({"contents": [USER, CALL, USER]}, "Please ensure that the number of function response parts is equal"),
    ({"contents": [CALL, RESULT]}, "Please ensure that function call turn comes immediately after a user turn"),
    ({"generationConfig": {"temperature": 3}}, "Invalid value at 'generationConfig.temperature': it has to be at most 2."),
    ({"generation_config": {"max_output_tokens": 0}}, "Invalid value at 'generationConfig.maxOutputTokens'"),
    (
        {"generationConfig": {"candidateCount": 9}},
        "Invalid value at 'generationConfig.candidateCount': it has to be at most 8.",
    ),
    ({"generationConfig": {"stopSequences": ["a"] * 6}}, "Invalid value at 'generationConfig.stopSequences'"),
    ({"generationConfig": {"responseModalities": ["IMAGE"]}}, "Invalid value at 'generationConfig.responseModalities'"),
    ({"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, "Response schemas need the response mime type"),
    ({"generationConfig": {"responseMimeType": "text/xml"}}, "* GenerateContentRequest.generation_config.response_mime_type"),
    (
        {"tools": [{"functionDeclarations": [{"name": "no spaces"}]}]},
        "* GenerateContentRequest.tools[0].functionDeclarations[0]",
    ),
    ({"tools": DECLARED["tools"] * 2}, "Duplicate function declaration found."),
    (calling(mode="SOMETIMES"), "Invalid value at 'toolConfig.functionCallingConfig.mode'"),
    (calling(mode="AUTO", allowedFunctionNames=["f"]), "allowed_function_names should be set only when mode is ANY."),
    (calling(mode="ANY", allowedFunctionNames=["g"]), "allowed_function_names: g is not among the function declarations."),
    ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "Function calling mode is set to ANY without any function"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
async def test_what_the_provider_refuses_is_refused_in_its_words(
    http: ClientSession, change: dict[str, Any], message: str
) -> None:
    async with http.post(PATH, json={"contents": [USER], **change}) as response:
        read = await response.json()
    assert (response.status, read["error"]["code"], read["error"]["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert read["error"]["message"].startswith(message)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "name"),
    [
        ("POST", PATH, b"{", 400, "INVALID_ARGUMENT"),
        ("POST", "/v1beta/models/gemini-3.8-flash:imagine", b"{}", 404, "NOT_FOUND"),
        ("GET", PATH, None, 405, "UNIMPLEMENTED"),
        ("GET", "/v1beta/models/gemini-0", None, 404, "NOT_FOUND"),
        ("POST", "/v1beta/models/gemini-embedding-001:batchEmbedContents", b"{}", 400, "INVALID_ARGUMENT"),
    ],
)
async def test_every_refusal_has_the_providers_envelope(
    http: ClientSession, method: str, path: str, body: bytes | None, status: int, name: str
) -> None:
    async with http.request(method, path, data=body, headers={"content-type": "application/json"}) as response:
        read = (await response.json())["error"]
    assert (response.status, read["code"], read["status"]) == (status, status, name)


async def test_the_client_raises_its_error_and_does_not_retry(gemini: genai.Client, http: ClientSession) -> None:
    config = types.GenerateContentConfig(temperature=3)
    with pytest.raises(errors.ClientError, match="has to be at most 2"):
        await gemini.aio.models.generate_content(model="gemini-3.8-flash", contents="hi", config=config)
    stream = await gemini.aio.models.generate_content_stream(model="gemini-3.8-flash", contents="hi", config=config)
    with pytest.raises(errors.ClientError, match="has to be at most 2"):
        await anext(stream)
    async with http.get("/__mock__/calls") as response:
        assert len((await response.json())["calls"]) == 2


async def test_only_known_keys_and_models_where_the_settings_say_so() -> None:
    running = await llm.serve("127.0.0.1:0", llm.Settings(api_keys=("right",), strict_models=True))
    url = f"http://{running.address}{PATH}"
    async with ClientSession() as session:
        answers: list[tuple[int, Any]] = []
        for query in ("", "?key=wrong", "?key=right"):
            async with session.post(url + query, json={"contents": [USER]}) as response:
                answers.append((response.status, await response.json()))
        async with session.post(url.replace("3.8", "0") + "?key=right", json={"contents": [USER]}) as response:
            assert response.status == 404
    await running.stop()
    assert [status for status, _ in answers] == [403, 400, 200]
    assert answers[0][1]["error"]["status"] == "PERMISSION_DENIED"
    assert answers[1][1]["error"]["details"][0]["reason"] == "API_KEY_INVALID"

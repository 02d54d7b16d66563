"""Which endpoint a path names, and who serves it."""

import pytest

from tracer_proxy.genai.requests import operation_of, provider_name, read_request


@pytest.mark.parametrize(
    ("api", "path", "expected"),
    [
        ("openai", b"/v1/chat/completions", ("chat_completions", "chat")),
        ("openai", b"/chat/completions", ("chat_completions", "chat")),
        ("openai", b"/v1/chat/completions/", ("chat_completions", "chat")),
        ("openai", b"/v1/v1/chat/completions", ("chat_completions", "chat")),
        ("openai", b"/openai/deployments/gpt/chat/completions", ("chat_completions", "chat")),
        ("openai", b"/v1/completions", ("completions", "text_completion")),
        ("openai", b"/v1/responses", ("responses", "chat")),
        ("openai", b"/openai/v1/responses", ("responses", "chat")),
        ("openai", b"/v1/embeddings", ("embeddings", "embeddings")),
        ("openai", b"/v1/models", None),
        ("openai", b"/v1/responses/input_tokens", None),
        ("openai", b"/v1/responses/compact", None),
        ("openai", b"/v1/responses/resp_1", None),
        ("openai", b"/v1/subcompletions", None),
        ("openai", b"/v1/messages", None),
        ("openai", b"", None),
        ("anthropic", b"/v1/messages", ("messages", "chat")),
        ("anthropic", b"/anthropic/v1/messages/", ("messages", "chat")),
        ("anthropic", b"/v1/messages/count_tokens", None),
        ("anthropic", b"/v1/messages/batches", None),
        ("anthropic", b"/v1/projects/p/locations/l/publishers/anthropic/models/claude:streamRawPredict", ("messages", "chat")),
        ("anthropic", b"/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict", None),
        ("anthropic", b"/v1/chat/completions", None),
        ("gemini", b"/v1beta/models/g:generateContent", ("generate_content", "generate_content")),
        ("gemini", b"/v1/models/g:streamGenerateContent", ("generate_content", "generate_content")),
        ("gemini", b"/v1beta/models/e:embedContent", ("embed_content", "embeddings")),
        ("gemini", b"/v1beta/models/e:batchEmbedContents", ("embed_content", "embeddings")),
        ("gemini", b"/v1/projects/p/locations/l/publishers/google/models/g:generateContent", ("generate_content",) * 2),
        ("gemini", b"/v1beta/models/g:countTokens", None),
        ("gemini", b"/v1beta/models/:generateContent", None),
        ("gemini", b"/v1beta/models", None),
        ("bedrock", b"/v1/chat/completions", None),
    ],
)
def test_the_end_of_a_path_names_the_endpoint(api: str, path: bytes, expected: tuple[str, str] | None) -> None:
    assert operation_of(api, path) == expected
    found = read_request(api, path, b"{}")
    assert (None if found is None else (found.api, found.operation)) == expected


@pytest.mark.parametrize(
    ("api", "path", "model", "stream"),
    [
        ("gemini", b"/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash", False),
        ("gemini", b"/v1beta/models/gemini-2.5-flash:streamGenerateContent", "gemini-2.5-flash", True),
        ("gemini", b"/v1beta/tunedModels/mine%3A2:generateContent", "mine:2", False),
        ("gemini", b"/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent", "g", True),
        ("openai", b"/openai/deployments/gpt-4o/chat/completions", "gpt-4o", False),
        ("openai", b"/v1/chat/completions", "", False),
        ("anthropic", b"/projects/p/locations/l/publishers/anthropic/models/claude@1:streamRawPredict", "claude@1", True),
    ],
)
def test_the_path_may_name_the_model_and_ask_for_a_stream(api: str, path: bytes, model: str, stream: bool) -> None:
    found = read_request(api, path, b"{}")
    assert found is not None
    assert (found.model, found.stream) == (model, stream)


def test_a_body_names_the_model_before_the_path_does() -> None:
    found = read_request("openai", b"/openai/deployments/mine/chat/completions", b'{"model":"gpt"}')
    assert found is not None
    assert found.model == "gpt"


@pytest.mark.parametrize(
    ("api", "host", "expected"),
    [
        ("openai", "api.openai.com", "openai"),
        ("openai", "eu.API.openai.com:443", "openai"),
        ("openai", "mine.openai.azure.com", "azure.ai.openai"),
        ("openai", "mine.services.ai.azure.com", "azure.ai.openai"),
        ("anthropic", "mine.services.ai.azure.com", "anthropic"),
        ("openai", "mine.eastus.models.ai.azure.com", "azure.ai.inference"),
        ("openai", "api.groq.com", "groq"),
        ("openai", "api.deepseek.com", "deepseek"),
        ("openai", "api.mistral.ai", "mistral_ai"),
        ("openai", "api.x.ai", "x_ai"),
        ("openai", "api.perplexity.ai", "perplexity"),
        ("openai", "api.cohere.ai", "cohere"),
        ("anthropic", "api.anthropic.com", "anthropic"),
        ("anthropic", "bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock"),
        ("gemini", "generativelanguage.googleapis.com", "gcp.gemini"),
        ("gemini", "europe-west1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("anthropic", "aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("openai", "127.0.0.1:8000", "openai"),
        ("openai", "notopenai.com.example", "openai"),
        ("openai", "max.ai", "openai"),
        ("anthropic", "litellm.internal", "anthropic"),
        ("gemini", "localhost", "gcp.gen_ai"),
        ("openai", "", "openai"),
    ],
)
def test_a_provider_is_known_by_its_host_and_else_by_the_wire_format(api: str, host: str, expected: str) -> None:
    assert provider_name(api, host) == expected

"""Who serves a model: ``gen_ai.provider.name``, by the upstream's host."""

from typing import Final

_BY_HOST: Final = (
    ("openai.azure.com", "azure.ai.openai"),
    ("cognitiveservices.azure.com", "azure.ai.openai"),
    ("models.ai.azure.com", "azure.ai.inference"),
    ("inference.ai.azure.com", "azure.ai.inference"),
    ("openai.com", "openai"),
    ("anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("groq.com", "groq"),
    ("deepseek.com", "deepseek"),
    ("mistral.ai", "mistral_ai"),
    ("x.ai", "x_ai"),
    ("perplexity.ai", "perplexity"),
    ("cohere.com", "cohere"),
    ("cohere.ai", "cohere"),
    ("moonshot.ai", "moonshot_ai"),
    ("moonshot.cn", "moonshot_ai"),
    ("ml.cloud.ibm.com", "ibm.watsonx.ai"),
)
_BY_API: Final = {"openai": "openai", "anthropic": "anthropic", "gemini": "gcp.gen_ai"}


def provider_name(api: str, host: str) -> str:
    """``api`` is the route's wire format, which stands in for a host that is not known; ``host`` may carry a port."""
    name = host.partition(":")[0].rstrip(".").lower()
    if name.startswith("bedrock") and name.endswith((".amazonaws.com", ".api.aws")):
        return "aws.bedrock"
    if name.endswith("-aiplatform.googleapis.com"):  # a region stands before it with a hyphen
        return "gcp.vertex_ai"
    if name.endswith(".services.ai.azure.com"):  # one host for several providers' wire formats
        return "azure.ai.openai" if api == "openai" else _BY_API.get(api, api)
    for domain, provider in _BY_HOST:
        if name == domain or name.endswith("." + domain):
            return provider
    return _BY_API.get(api, api)

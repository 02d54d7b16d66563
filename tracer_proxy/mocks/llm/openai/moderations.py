"""``/v1/moderations``: a text is flagged for the words in it. That is no moderation: it lets both outcomes be tried."""

import re
from dataclasses import dataclass
from typing import Any

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.ids import Ids
from tracer_proxy.mocks.llm.openai.errors import missing, wrong_type, wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields

_MODEL = "omni-moderation-latest"
_WORDS = {
    "harassment": r"idiots?|morons?|losers?|harass\w*|bull(?:y|ies|ying)",
    "harassment/threatening": r"i(?:'ll| will) (?:hurt|find|kill) you",
    "hate": r"hate speech|racial slurs?|subhumans?",
    "hate/threatening": r"ethnic cleansing|exterminat\w+ (?:them|all)|genocide",
    "illicit": r"shoplift\w*|launder\w* money|counterfeit\w*|forge \w+ passport|hotwire",
    "illicit/violent": r"(?:build|make) (?:a |an )?(?:bomb|explosive)s?|pipe bombs?",
    "self-harm": r"suicid\w*|self[- ]harm\w*|cut(?:ting)? myself",
    "self-harm/intent": r"(?:want|going) to (?:die|kill myself|end my life)|kill myself",
    "self-harm/instructions": r"how to (?:commit suicide|self[- ]harm)",
    "sexual": r"porn\w*|explicit sex\w*|erotic\w*",
    "sexual/minors": r"(?:sexual\w*|erotic\w*) (?:\w+ ){0,3}(?:child\w*|minors?)",
    "violence": r"kill(?:s|ed|ing)?|murder\w*|stab(?:s|bed|bing)?|shoot(?:s|ing)? (?:you|him|her|them)|torture\w*",
    "violence/graphic": r"dismember\w*|behead\w*|gore|blood[- ]soaked",
}
_PATTERNS = {category: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for category, words in _WORDS.items()}
_SEEN_TOO = frozenset(
    {"self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "violence", "violence/graphic"},
)
"""Categories that the provider applies to images as well."""
_FLAGGED_SCORE, _CLEAN_SCORE = 0.9, 0.0001


@dataclass(frozen=True, slots=True)
class ModerationRequest:
    """The texts to be looked at, each with whether an image is with it."""

    model: str
    inputs: tuple[tuple[str, bool], ...]
    digest: bytes

    def longest_tokens(self) -> int:
        """Of the longest text."""
        return max(tokens.count(text) for text, _ in self.inputs)


def read_moderation_request(body: Any) -> ModerationRequest:
    """Read a JSON body; raises ``ApiError`` as the provider would."""
    fields = Fields(body)
    return ModerationRequest(fields.optional_text("model") or _MODEL, tuple(_inputs(fields)), json_text.digest(body))


def moderate(request: ModerationRequest, trace: bytes) -> JsonObject:
    """The body of the answer; its id, and nothing else, hangs on ``trace``."""
    ids = Ids(request.digest + trace)
    results = [_result(text, has_image) for text, has_image in request.inputs]
    return {"id": ids.make("modr-"), "model": request.model, "results": results}


def _inputs(fields: Fields) -> list[tuple[str, bool]]:
    """The texts, and whether an image is with them. Parts belong to one input, strings are several."""
    value = fields.get("input")
    if value is None:
        raise missing("input")
    if isinstance(value, str):
        return [(value, False)]
    if not isinstance(value, list):
        raise wrong_type("input", "a string or an array", value)
    if not value:
        raise wrong_value("input", "The field 'input' has to have at least one item.")
    if all(isinstance(item, str) for item in value):
        return [(item, False) for item in value]
    texts = [_part(part) for part in fields.objects("input")]
    return [(" ".join(text for text in texts if text is not None), None in texts)]


def _part(fields: Fields) -> str | None:
    """The text of a part; None for an image."""
    if fields.choice("type", ("text", "image_url")) == "text":
        return fields.text("text")
    fields.needed_object("image_url").text("url")
    return None


def _result(text: str, has_image: bool) -> JsonObject:
    found = {category: pattern.search(text) is not None for category, pattern in _PATTERNS.items()}
    return {
        "flagged": any(found.values()),
        "categories": found,
        "category_scores": {category: _FLAGGED_SCORE if hit else _CLEAN_SCORE for category, hit in found.items()},
        "category_applied_input_types": {
            category: ["text", "image"] if has_image and category in _SEEN_TOO else ["text"] for category in found
        },
    }

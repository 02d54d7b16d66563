"""One or several texts, each as a string or as token numbers: what is embedded, or completed."""

from dataclasses import dataclass
from typing import Any

from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.openai.errors import missing, wrong_type, wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields


@dataclass(frozen=True, slots=True)
class Input:
    """One text. The mock has no vocabulary: one that came as token numbers reads as these numbers."""

    text: str
    tokens: int


def read_inputs(fields: Fields, name: str) -> list[Input]:
    """The texts of a field that has at least one; raises ``ApiError``."""
    value = fields.get(name)
    if value is None:
        raise missing(name)
    if isinstance(value, str):
        return [_from_text(value)]
    if not isinstance(value, list):
        raise wrong_type(name, "a string or an array", value)
    if not value:
        raise wrong_value(name, f"The field '{name}' has to have at least one item.")
    if all(_is_token(item) for item in value):
        return [_from_tokens(value)]
    return [_one(item, f"{name}[{place}]") for place, item in enumerate(value)]


def _one(item: Any, where: str) -> Input:
    if isinstance(item, str):
        return _from_text(item)
    if isinstance(item, list) and item and all(_is_token(token) for token in item):
        return _from_tokens(item)
    raise wrong_type(where, "a string, or an array of token numbers that is not empty", item)


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _from_text(text: str) -> Input:
    return Input(text, tokens.count(text))


def _from_tokens(numbers: list[int]) -> Input:
    return Input(" ".join(map(str, numbers)), len(numbers))

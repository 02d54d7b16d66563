"""Ids of tool calls, from unique ones to those that collide in every conversation."""

import secrets
import string
from collections.abc import Sequence
from enum import StrEnum

_CHARACTERS = string.ascii_letters + string.digits
_RANDOM_CHARACTERS = 24


class IdStyle(StrEnum):
    RANDOM = "random"
    """As OpenAI and Anthropic make them."""
    COUNTING = "counting"
    """``call_0``, ``call_1``: counted anew in every answer, as bridges make them up."""
    FUNCTIONS = "functions"
    """``functions.NAME:N``: counted over the conversation, as Kimi-K2 does."""
    TOOLNAME = "toolname"
    """The tool's name alone."""
    NONE = "none"
    """No id at all, which only Gemini allows."""


def call_ids(style: IdStyle, tools: Sequence[str], called_before: int, prefix: str) -> list[str]:
    """For the calls of one answer; ``called_before`` are the conversation's calls so far, ``prefix`` is the provider's."""
    match style:
        case IdStyle.RANDOM:
            return [prefix + "".join(secrets.choice(_CHARACTERS) for _ in range(_RANDOM_CHARACTERS)) for _ in tools]
        case IdStyle.COUNTING:
            return [f"call_{place}" for place in range(len(tools))]
        case IdStyle.FUNCTIONS:
            return [f"functions.{tool}:{called_before + place}" for place, tool in enumerate(tools)]
        case IdStyle.TOOLNAME:
            return list(tools)
        case IdStyle.NONE:
            return [""] * len(tools)

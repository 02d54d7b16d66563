"""Which tools to call: the one whose name and description share most words with what the user said."""

import re

from tracer_proxy import limits
from tracer_proxy.mocks.llm.conversation import Conversation, Tool

_WORD = re.compile(r"[a-z]{3,}|[^\W\d_a-z]+")
_NAME_WEIGHT = 3
_CHARS_READ = 2000


def choose(conversation: Conversation) -> tuple[Tool, ...]:
    """The tools to call now, none to answer in words.

    With results there it answers, unless a call is demanded; then it prefers a tool that was not called in this turn: that
    is how frameworks whose output is a tool come to their end. Several are called at once if the user named them: each by a
    word that is in its name and in that of none before it.
    """
    if not conversation.tools or (conversation.results and not conversation.must_call):
        return ()
    fresh = [tool for tool in conversation.tools if tool.name not in conversation.called] or list(conversation.tools)
    wanted = _words(conversation.user_text[:_CHARS_READ])
    fresh.sort(key=lambda tool: _fit(tool, wanted), reverse=True)
    if not conversation.parallel or conversation.results:
        return (fresh[0],)
    return _named(fresh, wanted)


def _named(tools: list[Tool], wanted: set[str]) -> tuple[Tool, ...]:
    """The first tool, and those after it that the user named too."""
    chosen, spoken_for = [tools[0]], _words(tools[0].name)
    for tool in tools[1:]:
        if wanted & _words(tool.name) - spoken_for and len(chosen) < limits.MOCK_ITEMS_MAX:
            chosen.append(tool)
            spoken_for |= _words(tool.name)
    return tuple(chosen)


def _fit(tool: Tool, wanted: set[str]) -> int:
    return _NAME_WEIGHT * len(wanted & _words(tool.name)) + len(wanted & _words(tool.description[:_CHARS_READ]))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))

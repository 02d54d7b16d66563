"""Which tool to call: the one whose name and description share most words with what the user said."""

import re

from tracer_proxy.mocks.llm.conversation import Conversation, Tool

_WORD = re.compile(r"[a-z]{3,}|[^\W\d_a-z]+")
_NAME_WEIGHT = 3
_CHARS_READ = 2000


def choose(conversation: Conversation) -> Tool | None:
    """The tool to call now, None to answer in words.

    With results there it answers, unless a call is demanded; then it prefers a tool that was not called in this turn: that
    is how frameworks whose output is a tool come to their end.
    """
    if not conversation.tools or (conversation.results and not conversation.must_call):
        return None
    fresh = [tool for tool in conversation.tools if tool.name not in conversation.called]
    wanted = _words(conversation.user_text[:_CHARS_READ])
    return max(fresh or conversation.tools, key=lambda tool: _fit(tool, wanted))


def _fit(tool: Tool, wanted: set[str]) -> int:
    return _NAME_WEIGHT * len(wanted & _words(tool.name)) + len(wanted & _words(tool.description[:_CHARS_READ]))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))

"""What the known agent harnesses call their session and their sub-agents, in headers of their own.

``x-client-request-id`` is not among them: most clients make a new one for each request. Names without a prefix count only
where the ``User-Agent`` is that of the harness which uses them so.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from tracer_proxy.limits import SESSION_KEY_BYTES_MAX

SESSION_HEADERS: Final = (
    b"x-claude-code-session-id",
    b"x-opencode-session",
    b"x-qwen-code-session-id",
    b"agent-session-id",
    b"x-session-id",
    b"x-session-affinity",
    b"helicone-session-id",
    b"x-litellm-session-id",
    b"x-litellm-trace-id",
    b"x-portkey-trace-id",
)
"""First hit first: a harness's own name says more than one that anybody may set."""
CODEX_HEADERS: Final = (b"session-id", b"session_id", b"thread-id", b"conversation_id")
"""Of the Codex CLI, newest spelling first. Anybody else may mean anything by them."""
_CODEX_TURN: Final = b"x-codex-turn-metadata"
_AGENT: Final = b"x-claude-code-agent-id"
_PARENT_AGENT: Final = b"x-claude-code-parent-agent-id"
_USER_AGENT: Final = b"user-agent"

WATCHED: Final[frozenset[bytes]] = frozenset(
    {*SESSION_HEADERS, *CODEX_HEADERS, _CODEX_TURN, _AGENT, _PARENT_AGENT, _USER_AGENT}
)
"""What the reader of a head must keep for the functions below."""


class SubAgent(NamedTuple):
    """Both empty where no sub-agent is at work."""

    agent_id: str
    parent_id: str


class _CodexTurn(msgspec.Struct):
    session_id: str = ""


_codex_turn = msgspec.json.Decoder(_CodexTurn)
_CONTROL_BYTES = bytes(byte for byte in range(256) if byte < 0x20 or byte == 0x7F)


def session_of(fields: Mapping[bytes, bytes]) -> tuple[str, str]:
    """The session and where it stands, such as ``header:x-session-id``; both empty if no header says it.

    ``fields`` is shaped as for ``trace.extract``.
    """
    for name in SESSION_HEADERS:
        session = _text(fields.get(name))
        if session:
            return session, "header:" + name.decode()
    if b"codex" not in fields.get(_USER_AGENT, b"").lower():
        return "", ""
    for name in CODEX_HEADERS:
        session = _text(fields.get(name))
        if session:
            return session, "header:" + name.decode()
    session = _codex_session(fields.get(_CODEX_TURN))
    return (session, "header:" + _CODEX_TURN.decode()) if session else ("", "")


def sub_agent_of(fields: Mapping[bytes, bytes]) -> SubAgent:
    """Which of an agent's sub-agents sends this. It shares the session of its parent, and begins a trace of its own."""
    return SubAgent(_text(fields.get(_AGENT)), _text(fields.get(_PARENT_AGENT)))


def _text(value: bytes | None) -> str:
    """Empty for what no honest client sends."""
    if not value or len(value) > SESSION_KEY_BYTES_MAX or len(value.translate(None, _CONTROL_BYTES)) != len(value):
        return ""
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return ""


def _codex_session(metadata: bytes | None) -> str:
    if not metadata:
        return ""
    try:
        return _text(_codex_turn.decode(metadata).session_id.encode())
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""

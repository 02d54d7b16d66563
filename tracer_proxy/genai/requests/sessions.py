"""What a body calls the session. Only ids that clients are known to put there: a session is never made up."""

import re
from typing import Final

from tracer_proxy import limits
from tracer_proxy.genai.requests.json_values import Members, member, members, text

_CLAUDE_CODE_USER: Final = re.compile(r"user_.*_account_.*_session_([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")


def identifier(found: object) -> str:
    """One that is too long is none: cut, it might be another's."""
    return found if isinstance(found, str) and len(found) <= limits.IDENTIFIER_CHARS_MAX else ""


def session_id(body: Members) -> str:
    metadata = body.get("metadata")
    return (
        identifier(member(metadata, "session_id"))
        or session_of_claude_code(text(member(metadata, "user_id")))
        or identifier(body.get("litellm_session_id"))
    )


def session_of_claude_code(user: str) -> str:
    """Claude Code's ``metadata.user_id``: JSON that holds the session, or in older versions a name that ends with it."""
    if user.startswith("{"):
        held = members(user.encode(errors="replace")) or {}
        return identifier(held.get("session_id"))
    matched = _CLAUDE_CODE_USER.fullmatch(user) if len(user) <= limits.IDENTIFIER_CHARS_MAX else None
    return matched[1] if matched else ""

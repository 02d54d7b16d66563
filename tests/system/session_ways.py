"""Sessions that show which they are in every way of the default ladder."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from tracer_proxy.context.session_headers import CODEX_HEADERS, SESSION_HEADERS
from tracer_proxy.context.session_name import session_name
from tracer_proxy.routing.bucket import bucket, seed


class Said(NamedTuple):
    """What of a request names its session."""

    headers: tuple[str, ...] = ()
    body: Mapping[str, Any] = {}
    query: str = ""


Way = Callable[[str], Said]
CODEX: Final = "user-agent: codex_cli_rs/0.50"


def header(name: str, *others: str) -> Way:
    return lambda key: Said((f"{name}: {key}", *others))


def body(*path: str) -> Way:
    def way(key: str) -> Said:
        held: Any = key
        for name in reversed(path):
            held = {name: held}
        return Said(body=held)

    return way


def claude_code(key: str) -> Said:
    return Said(body={"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": key})}})


WAYS: Final[dict[str, Way]] = {
    **{name.decode(): header(name.decode()) for name in SESSION_HEADERS},
    **{f"codex {name.decode()}": header(name.decode(), CODEX) for name in CODEX_HEADERS},
    "codex turn": lambda key: Said((f"x-codex-turn-metadata: {json.dumps({'session_id': key}, ensure_ascii=False)}", CODEX)),
    "metadata": body("metadata", "session_id"),
    "claude code": claude_code,
    "session_id": body("session_id"),
    "litellm_session_id": body("litellm_session_id"),
    "conversation": body("conversation"),
    "conversation id": body("conversation", "id"),
    "mcp": header("mcp-session-id"),
    "a2a message": body("params", "message", "contextId"),
    "a2a": body("params", "contextId"),
    "query": lambda key: Said(query=f"?a=b&session_id={quote(key)}"),
    "cookie": lambda key: Said((f"cookie: theme=dark; session_id={key}",)),
    "baggage": lambda key: Said((f"baggage: a=b,session.id={quote(key)}",)),
    "user": body("user"),
}
"""Whoever knows its session's name may say it in any of these."""


def key_of(number: int, style: int) -> str:
    """Short ones, long ones that differ at their end only, ones beyond ASCII, and such as clients make."""
    match style % 4:
        case 0:
            return f"user-{number}"
        case 1:
            return f"{number:08x}-5eb0-4b1c-9d4f-{number:012x}"
        case 2:
            return f"séance-месяц-{number}"
    return f"tenants/acme/projects/assistant/threads/of-the-year-2026/conversations/{number:020}"


@dataclass
class Session:
    """``kind`` is one of ``WAYS`` or ``trace``. ``mixed`` shows its key in another way each turn. ``known`` shows it once
    and from then on repeats the id of the last answer, and ``answer`` has never shown anything else.
    """

    number: int
    kind: str
    key: str
    """Empty until it is known: the trace id of the first turn of an ``answer``."""
    response_id: str = ""

    @property
    def route(self) -> str:
        return "model" if self.kind in ("answer", "known") or (self.kind == "mixed" and self.number % 2) else "agent"

    def proxy(self, turn: int) -> int:
        """Another one each turn; what a proxy has to remember is known to that one only."""
        return self.number % 2 if self.kind in ("answer", "known") else (self.number + turn) % 2

    def said(self, turn: int) -> Said:
        match self.kind:
            case "answer":
                return Said()
            case "trace":
                return Said((f"traceparent: 00-{self.key}-{secrets.token_hex(8)}-01",))
            case "known":
                return Said() if self.response_id else self._way(self.number)
            case "mixed":
                return self._way(self.number + turn)
        return WAYS[self.kind](self.key)

    def _way(self, number: int) -> Said:
        return list(WAYS.values())[number % len(WAYS)](self.key)

    def request(self, turn: int) -> tuple[bytes, bytes]:
        """Head and body."""
        said = self.said(turn)
        document = {"model": "m", "input": f"turn {turn}", **said.body}
        if self.response_id:
            document["previous_response_id"] = self.response_id
        body = json.dumps(document, ensure_ascii=False).encode()
        path = "/openai/v1/responses" if self.route == "model" else f"/agents/{turn}"
        lines = [f"POST {path}{said.query} HTTP/1.1", "Host: t", f"X-Of: {self.number}", *said.headers]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join(lines).encode(), body

    def lane(self, weight: int) -> str:
        """By its bucket."""
        return "canary" if bucket(session_name(self.key.encode()), seed(self.route)) < weight * 100 else "stable"


KINDS: Final = [*WAYS, "trace", "answer", *["mixed"] * 10, *["known"] * 10]


def sessions(count: int) -> list[Session]:
    """A key of its own for each, in all kinds in turn."""
    made = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        # Not the same style for all sessions of a kind.
        key = key_of(number, number // len(KINDS) + number)
        made.append(Session(number, kind, {"trace": f"{number + 1:032x}", "answer": ""}.get(kind, key)))
    return made

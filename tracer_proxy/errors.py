"""The two error types of the project, and the closed lists they draw on.

``ProxyError`` is about one exchange: it says what went wrong, on whose side, and which status it deserves; one place
(``dataplane/respond.py``) turns it into a response. ``ConfigError`` is about a file: it carries every problem at once.
"""

from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """Who has to change something for the error to go away."""

    CLIENT = "client"
    PROXY = "proxy"
    UPSTREAM = "upstream"


class Kind(StrEnum):
    """What went wrong; also the label in logs and metrics, so the list is closed."""

    MALFORMED = "malformed"
    NO_ROUTE = "no_route"
    SLOW_REQUEST = "slow_request"
    BODY_TOO_LARGE = "body_too_large"
    HEAD_TOO_LARGE = "head_too_large"
    CLIENT_GONE = "client_gone"
    UNREACHABLE = "upstream_unreachable"
    UPSTREAM_BROKEN = "upstream_broken"
    UPSTREAM_CLOSED = "upstream_closed"
    NO_ENDPOINT = "no_healthy_endpoint"
    POOL_FULL = "pool_full"
    OVERLOADED = "overloaded"
    DRAINING = "draining"
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    INTERNAL = "internal"


_CLIENT, _PROXY, _UPSTREAM = Side.CLIENT, Side.PROXY, Side.UPSTREAM

VERDICTS: dict[Kind, tuple[int, Side]] = {
    Kind.MALFORMED: (400, _CLIENT),
    Kind.NO_ROUTE: (404, _CLIENT),
    Kind.SLOW_REQUEST: (408, _CLIENT),
    Kind.BODY_TOO_LARGE: (413, _CLIENT),
    Kind.HEAD_TOO_LARGE: (431, _CLIENT),
    Kind.CLIENT_GONE: (499, _CLIENT),
    Kind.UNREACHABLE: (502, _UPSTREAM),
    Kind.UPSTREAM_BROKEN: (502, _UPSTREAM),
    Kind.UPSTREAM_CLOSED: (502, _UPSTREAM),
    Kind.NO_ENDPOINT: (503, _UPSTREAM),
    Kind.POOL_FULL: (503, _PROXY),
    Kind.OVERLOADED: (503, _PROXY),
    Kind.DRAINING: (503, _PROXY),
    Kind.CONNECT_TIMEOUT: (504, _UPSTREAM),
    Kind.FIRST_BYTE_TIMEOUT: (504, _UPSTREAM),
    Kind.IDLE_TIMEOUT: (504, _UPSTREAM),
    Kind.INTERNAL: (500, _PROXY),
}
"""The status and the side each kind of error stands for. 499 is never sent: the client is gone."""


class ProxyError(Exception):
    """Why an exchange failed. ``message`` is one sentence that the caller may read: nothing of other callers, no secrets."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.status, self.side = VERDICTS[kind]
        self.message = message


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a config file. Lines and columns count from 1; 0 means that the place is unknown."""

    path: str
    """Where in the document, for example ``routes[0].lanes[1].pool``; empty for the document as a whole."""
    message: str
    """What stands there, what was expected, and the nearest valid name when it looks like a misspelling."""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return ": ".join(part for part in (where, self.path, self.message) if part)


class ConfigError(Exception):
    """Every problem of one config file, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

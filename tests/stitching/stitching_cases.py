"""Agents, models and requests for the tests of stitching, as far as they concern ids."""

from collections.abc import Sequence
from itertools import count

from tracer_proxy.genai.anchor import arguments_digest, call_anchors, prefix_digest
from tracer_proxy.genai.answered import Answered, ToolCall, Usage
from tracer_proxy.genai.asked import Asked, Echo
from tracer_proxy.genai.rpc import RpcAsked
from tracer_proxy.stitching.keys import Keys, Scope
from tracer_proxy.stitching.memory import LocalMemory, Memory
from tracer_proxy.stitching.stitcher import Stitcher
from tracer_proxy.stitching.turn import Joined, Turn

NOW = 1_790_000_000.0
SCOPE = Scope(b"127.0.0.1:8080", b"Bearer one")
UNIQUE = "call_Xk3pQ9vLw2RtYb7NcJm4DzHs"
UNIQUE_TOO = "call_b8Tn5WqEr1UvKd6GxLz0PaFj"
RESPONSE = "resp_68f1c2d9a7b40819b3e5d2f7a1c94e60"
_numbers = count(1)


def new_trace() -> bytes:
    return b"%032x" % (0xABCDEF << 64 | next(_numbers))


def new_span() -> bytes:
    return b"%016x" % (0xABC << 40 | next(_numbers))


def stitcher(memory: Memory | None = None) -> Stitcher:
    return Stitcher(memory or LocalMemory(100_000), Keys(b"secret"))


def echo(call_id: str, anchor: bytes = b"", tool: str = "", failed: bool = False) -> Echo:
    return Echo(call_id, tool, anchor, failed)


def asked(
    *results: Echo,
    history: Sequence[Echo] = (),
    session: str = "",
    previous: str = "",
    conversation: str = "",
    api: str = "chat_completions",
) -> Asked:
    return Asked(api, "chat", "m", False, {}, conversation, session, previous, results, tuple(history), b"")


def call(call_id: str, tool: str = "search", arguments: str = '{"q": 1}', anchor: bytes = b"") -> ToolCall:
    return ToolCall(call_id, tool, anchor, arguments_digest(arguments))


def answered(*calls: ToolCall, answer_id: str = "", conversation: str = "") -> Answered:
    return Answered(answer_id, "m", ("stop",), Usage(), calls, conversation, "", True, {}, 0, None, ())


def anchored(said: str, *calls: tuple[str, str]) -> list[bytes]:
    """Of calls (name, arguments) that one message hands out after ``said``."""
    return call_anchors(prefix_digest([said.encode()]), "", calls)


def tools_call(tool: str = "search", arguments: str = '{"q": 1}', method: str = "tools/call") -> RpcAsked:
    return RpcAsked("mcp", method, "1", tool, "", "", arguments_digest(arguments), "", "", "", "", b"", b"", b"")


class Agent:
    """Sends exchanges through one proxy, and keeps what the proxy made of the last of them."""

    def __init__(self, proxy: Stitcher, scope: Scope = SCOPE) -> None:
        self.proxy = proxy
        self.scope = scope
        self.attempt = b""
        """Span of the last exchange's attempt."""

    def ask(self, request: Asked, answer: Answered, now: float = NOW, color: bytes = b"") -> tuple[Joined, Turn]:
        """A request and its whole answer."""
        joined = self.proxy.join(request, self.scope, now)
        turn = joined.turn(new_trace(), new_span(), True, color, now)
        self.hear(turn, request, answer, now)
        return joined, turn

    def hear(self, turn: Turn, request: Asked, answer: Answered, now: float = NOW) -> None:
        self.attempt = new_span()
        self.proxy.remember(turn, self.scope, self.attempt, answer, request, now)

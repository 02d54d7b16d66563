"""The messages of a request: their order, and that tool calls and tool results belong together."""

from dataclasses import dataclass

from tracer_proxy.mocks.llm.anthropic.blocks import Block, read_blocks, texts
from tracer_proxy.mocks.llm.anthropic.fields import Fields
from tracer_proxy.mocks.llm.conversation import ToolResult
from tracer_proxy.mocks.llm.serving import Refused

_ROLES = ("user", "assistant", "system")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says before the other does: messages of one role that follow each other are one turn.

    ``index`` is that of its first message.
    """

    role: str
    blocks: tuple[Block, ...]
    index: int

    def ids(self, kind: str) -> list[str]:
        """The ids of its calls (``tool_use``), or those its results answer (``tool_result``)."""
        return [block.id for block in self.blocks if block.type == kind]


def read_turns(body: Fields, *, beta: bool) -> list[Turn]:
    """Read and check ``messages``."""
    if body.items("messages") is None:
        raise body.missing("messages")
    turns: list[Turn] = []
    messages = body.objects("messages")
    for index, fields in enumerate(messages):
        turn = _read_message(fields, index, is_last=index == len(messages) - 1, beta=beta)
        if turns and turn.role in (turns[-1].role, "system"):
            turn = Turn(turns[-1].role, turns[-1].blocks + turn.blocks, turns[-1].index)
            turns.pop()
        turns.append(turn)
    if not turns:
        raise Refused(400, "messages: at least one message is required")
    if turns[0].role != "user":
        raise Refused(400, 'messages: first message must use the "user" role')
    _check_calls_are_answered(turns)
    return turns


def last_user_text(turns: list[Turn]) -> str:
    """What the user said last; empty if nothing."""
    return next((texts(turn.blocks) for turn in reversed(turns) if _speaks(turn)), "")


def results_at_end(turns: list[Turn]) -> tuple[ToolResult, ...]:
    """The tool results that the last turn brings."""
    names = {block.id: block.name for turn in turns for block in turn.blocks if block.type == "tool_use"}
    return tuple(ToolResult(names[block.id], block.text) for block in turns[-1].blocks if block.type == "tool_result")


def called_since_user(turns: list[Turn]) -> frozenset[str]:
    """Names of the tools called since the user last spoke."""
    called: set[str] = set()
    for turn in reversed(turns):
        if _speaks(turn):
            break
        called.update(block.name for block in turn.blocks if block.type == "tool_use")
    return frozenset(called)


def check_thinking_is_kept(turns: list[Turn]) -> None:
    """Between the calls of one answer the thinking that led to them has to come back."""
    if len(turns) < 2 or not turns[-1].ids("tool_result"):
        return
    calling = turns[-2]
    kind = calling.blocks[0].type
    if kind not in ("thinking", "redacted_thinking"):
        raise Refused(
            400,
            f"messages.{calling.index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{kind}`. When "
            "`thinking` is enabled, a final `assistant` message must start with a thinking block.",
        )


def _speaks(turn: Turn) -> bool:
    return turn.role == "user" and any(block.type == "text" for block in turn.blocks)


def _read_message(fields: Fields, index: int, *, is_last: bool, beta: bool) -> Turn:
    role = fields.choice("role", _ROLES)
    blocks = read_blocks(fields, "content", beta=beta)
    is_prefill = is_last and role == "assistant"
    if not is_prefill and not any(block.type != "text" or block.text for block in blocks):
        message = "all messages must have non-empty content except for the optional final assistant message"
        raise Refused(400, f"messages.{index}: {message}")
    if is_prefill and blocks and blocks[-1].text != blocks[-1].text.rstrip():
        raise Refused(400, "messages: final assistant content cannot end with trailing whitespace")
    return Turn(role, blocks, index)


def _check_calls_are_answered(turns: list[Turn]) -> None:
    for place, turn in enumerate(turns):
        if turn.role == "user" and turn.ids("tool_use"):
            raise Refused(400, f"messages.{turn.index}: `tool_use` blocks can only be in `assistant` messages")
        called = turns[place - 1].ids("tool_use") if place and turn.role == "user" else []
        answered = turn.ids("tool_result")
        for call_id in answered:
            if call_id not in called:
                raise Refused(
                    400,
                    f"messages.{turn.index}.content: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}. Each "
                    "`tool_result` block must have a corresponding `tool_use` block in the previous message.",
                )
        if len(set(answered)) < len(answered):
            raise Refused(400, f"messages.{turn.index}.content: each tool_use must have a single result.")
        left = [call_id for call_id in called if call_id not in answered]
        if left:
            raise _unanswered(turns[place - 1], left)
    if turns[-1].ids("tool_use"):
        raise _unanswered(turns[-1], turns[-1].ids("tool_use"))


def _unanswered(turn: Turn, call_ids: list[str]) -> Refused:
    return Refused(
        400,
        f"messages.{turn.index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(call_ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
    )

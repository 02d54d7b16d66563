"""A tool server's exchange is joined to the call that a model handed out, if there is only one."""

import pytest
from stitching_cases import NOW, SCOPE, UNIQUE, UNIQUE_TOO, Agent, anchored, answered, asked, call, echo, stitcher, tools_call

from tracer_proxy.genai.rpc import RpcAsked
from tracer_proxy.limits import MCP_CALL_S_MAX
from tracer_proxy.stitching.memory import LocalMemory

PLACE = SCOPE.place


@pytest.mark.parametrize("handed_out", ["search", "mcp__web__search", "web.search", "web-search", "x" * 80 + "__search"])
def test_a_tools_call_hangs_under_the_run_that_is_told_when_the_result_comes(handed_out: str) -> None:
    agent = Agent(stitcher())
    _, turn = agent.ask(asked(), answered(call(UNIQUE, handed_out)), color=b"blue")
    joined = agent.proxy.pending.join(tools_call(arguments='{ "q":1 }'), PLACE, NOW + 1)
    assert joined is not None
    assert (joined.method, joined.trace_id, joined.root_id, joined.color) == ("mcp_call", turn.trace_id, turn.root_id, b"blue")
    result = agent.proxy.join(asked(echo(UNIQUE)), SCOPE, NOW + 2)
    assert [run.span_id for run in result.tools] == [joined.parent_id]
    assert agent.proxy.counts.joins["mcp_call"] == 1


def test_a_call_known_by_its_anchor_alone_is_found_too() -> None:
    agent = Agent(stitcher())
    (anchor,) = anchored("said", ("search", '{"q": 1}'))
    agent.ask(asked(), answered(call("call_0", anchor=anchor)))
    joined = agent.proxy.pending.join(tools_call(), PLACE, NOW)
    assert joined is not None
    assert [run.span_id for run in agent.proxy.join(asked(echo("call_0", anchor)), SCOPE, NOW).tools] == [joined.parent_id]


@pytest.mark.parametrize("same_trace", [True, False])
def test_two_calls_alike_are_linked_and_joined_to_neither(same_trace: bool) -> None:
    agent = Agent(stitcher())
    if same_trace:
        agent.ask(asked(), answered(call(UNIQUE), call(UNIQUE_TOO)))
    else:
        agent.ask(asked(), answered(call(UNIQUE)))
        agent.ask(asked(), answered(call(UNIQUE_TOO)))
    joined = agent.proxy.pending.join(tools_call(), PLACE, NOW)
    assert joined is not None
    assert (joined.method, joined.trace_id) == ("new", b"")
    assert [link.reason for link in joined.links] == ["ambiguous"] * 2
    assert len({link.span_id for link in joined.links}) == 2
    assert agent.proxy.counts.misses == {"ambiguous": 1}


def test_a_call_alike_that_is_no_longer_kept_may_still_be_open() -> None:
    agent = Agent(stitcher())
    ids = [UNIQUE, UNIQUE_TOO, "call_5KdW2zQx8LmP0vRt3YbHc7Nf"]
    for step, call_id in enumerate(ids):
        agent.ask(asked(), answered(call(call_id)), NOW + step)
    for call_id in ids[1:]:
        agent.proxy.join(asked(echo(call_id)), SCOPE, NOW + 3)
    agent.ask(asked(), answered(call("call_G4hYw8Lq2XvNz6RbTk9PdS3m")), NOW + 4)
    joined = agent.proxy.pending.join(tools_call(), PLACE, NOW + 5)
    assert joined is not None
    assert (joined.trace_id, [link.reason for link in joined.links]) == (b"", ["ambiguous"])


def test_a_call_alike_that_had_to_make_room_may_still_be_open() -> None:
    agent = Agent(stitcher(LocalMemory(4)))
    agent.ask(asked(), answered(call(UNIQUE)))
    for number in range(2):
        agent.ask(asked(), answered(call(f"{UNIQUE}{number}", "another")))
    agent.ask(asked(), answered(call(UNIQUE_TOO)), NOW + 1)
    joined = agent.proxy.pending.join(tools_call(), PLACE, NOW + 1)
    assert joined is not None
    assert (joined.trace_id, len(joined.links)) == (b"", 1)
    assert agent.proxy.counts.misses == {"crowded": 1}


def test_a_call_that_has_returned_is_no_rival_of_the_next_one_like_it() -> None:
    agent = Agent(stitcher())
    _, turn = agent.ask(asked(), answered(call(UNIQUE)))
    agent.ask(asked(echo(UNIQUE)), answered(call(UNIQUE_TOO)))
    joined = agent.proxy.pending.join(tools_call(), PLACE, NOW)
    assert joined is not None
    assert joined.trace_id == turn.trace_id
    assert [run.span_id for run in agent.proxy.join(asked(echo(UNIQUE_TOO)), SCOPE, NOW).tools] == [joined.parent_id]
    assert agent.proxy.pending.join(tools_call(), PLACE, NOW) is None


def test_a_call_that_nobody_made_for_long_is_no_rival_either() -> None:
    agent = Agent(stitcher())
    agent.ask(asked(), answered(call(UNIQUE)), NOW)
    later = NOW + MCP_CALL_S_MAX + 1
    assert agent.proxy.pending.join(tools_call(), PLACE, later) is None
    _, turn = agent.ask(asked(), answered(call(UNIQUE_TOO)), later)
    joined = agent.proxy.pending.join(tools_call(), PLACE, later)
    assert joined is not None
    assert joined.trace_id == turn.trace_id


@pytest.mark.parametrize(
    ("rpc", "listener"),
    [
        (tools_call(tool="research"), PLACE),
        (tools_call(tool="arch"), PLACE),
        (tools_call(arguments='{"q": 2}'), PLACE),
        (tools_call(), b"another"),
    ],
)
def test_another_tool_other_arguments_or_another_listener_are_not_it(rpc: RpcAsked, listener: bytes) -> None:
    agent = Agent(stitcher())
    agent.ask(asked(), answered(call(UNIQUE)))
    assert agent.proxy.pending.join(rpc, listener, NOW) is None


def test_other_methods_are_nobodys_call() -> None:
    agent = Agent(stitcher())
    agent.ask(asked(), answered(call(UNIQUE)))
    assert agent.proxy.pending.join(tools_call(method="tools/list"), PLACE, NOW) is None


def test_a_call_without_arguments_is_only_linked() -> None:
    """Anybody may call a tool that takes none."""
    agent = Agent(stitcher())
    agent.ask(asked(), answered(call(UNIQUE, arguments="{}")))
    joined = agent.proxy.pending.join(tools_call(arguments=""), PLACE, NOW)
    assert joined is not None
    assert joined.trace_id == b""
    assert [link.reason for link in joined.links] == ["ambiguous"]


def test_another_clients_call_is_another() -> None:
    agent = Agent(stitcher(), SCOPE._replace(client=b"10.0.0.1"))
    agent.ask(asked(), answered(call(UNIQUE)))
    assert agent.proxy.pending.join(tools_call(), SCOPE._replace(client=b"10.0.0.2").place, NOW) is None
    assert agent.proxy.pending.join(tools_call(), agent.scope.place, NOW) is not None

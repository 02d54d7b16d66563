"""Which requests belong to one turn, and which begin another."""

import pytest
from stitching_cases import (
    NOW,
    RESPONSE,
    SCOPE,
    UNIQUE,
    UNIQUE_TOO,
    Agent,
    anchored,
    answered,
    asked,
    call,
    echo,
    new_span,
    stitcher,
)

from tracer_proxy.genai.asked import Asked, Echo
from tracer_proxy.limits import STITCH_MEMORY_S, TRACE_AGE_S_MAX, TRACE_STEPS_MAX
from tracer_proxy.stitching.keys import Scope
from tracer_proxy.stitching.memory import LocalMemory
from tracer_proxy.telemetry.record import Link, ToolRun

COUNTED_IDS = ["call_0", "functions.search:0", "search:0", "search", "", "0123456789abcdef", "aaaaaaaaaaaaaaaaaaaaaaaa"]


def test_a_result_joins_the_turn_that_handed_out_its_call_and_hangs_under_its_first_span() -> None:
    agent = Agent(stitcher())
    first, turn = agent.ask(asked(), answered(call(UNIQUE)), color=b"blue")
    attempt = agent.attempt
    assert (first.method, first.trace_id, first.links, first.tools) == ("new", b"", [], [])
    second, continued = agent.ask(asked(echo(UNIQUE, failed=True)), answered(), NOW + 7)
    assert (second.method, second.trace_id, second.parent_id) == ("tool_call", turn.trace_id, turn.root_id)
    assert (second.color, second.session, second.steps) == (b"blue", turn.trace_id.decode(), 1)
    assert continued == turn._replace(steps=1)
    (run,) = second.tools
    assert run == ToolRun(run.span_id, turn.root_id, attempt, UNIQUE, "search", NOW, NOW + 7, True, "")
    assert len(run.span_id) == 16
    assert agent.proxy.counts.joins == {"new": 1, "tool_call": 1}
    assert not agent.proxy.counts.misses


def test_what_nobody_handed_out_joins_nothing() -> None:
    agent = Agent(stitcher())
    joined, _ = agent.ask(asked(echo(UNIQUE)), answered())
    assert (joined.method, joined.trace_id) == ("new", b"")
    assert agent.proxy.counts.misses == {"unknown_id": 1}


@pytest.mark.parametrize("call_id", COUNTED_IDS)
def test_counted_ids_join_by_what_was_said_before_and_never_across_conversations_or_turns(call_id: str) -> None:
    agent = Agent(stitcher())
    turns = {}
    for said in ("one conversation", "another conversation", "one conversation, its second turn"):
        (anchor,) = anchored(said, ("search", '{"q": 1}'))
        _, turns[anchor] = agent.ask(asked(), answered(call(call_id, anchor=anchor)))
    for anchor, turn in turns.items():
        joined, _ = agent.ask(asked(echo(call_id, anchor, tool="search")), answered())
        assert (joined.method, joined.trace_id) == ("tool_call", turn.trace_id)
        assert [run.call_id for run in joined.tools] == [call_id]


@pytest.mark.parametrize("call_id", COUNTED_IDS)
@pytest.mark.parametrize("seen_arguments", ['{"q": 2}', None])
def test_a_counted_id_without_its_own_message_joins_nothing(call_id: str, seen_arguments: str | None) -> None:
    agent = Agent(stitcher())
    (anchor,) = anchored("said", ("search", '{"q": 1}'))
    agent.ask(asked(), answered(call(call_id, anchor=anchor)))
    other = anchored("said", ("search", seen_arguments))[0] if seen_arguments else b""
    joined, _ = agent.ask(asked(echo(call_id, other, tool="search")), answered())
    assert joined.trace_id == b""
    assert agent.proxy.counts.misses == {"unknown_id" if other else "not_unique": 1}


def test_conversations_that_are_the_same_to_the_letter_are_not_joined_once_there_are_two() -> None:
    proxy = stitcher()
    (anchor,) = anchored("said", ("search", "{}"))
    Agent(proxy).ask(asked(), answered(call("call_0", anchor=anchor)))
    Agent(proxy).ask(asked(), answered(call("call_0", anchor=anchor)))
    joined, _ = Agent(proxy).ask(asked(echo("call_0", anchor)), answered())
    assert joined.trace_id == b""
    assert proxy.counts.misses == {"ambiguous": 1}


def test_the_name_of_a_session_tells_conversations_apart_that_are_the_same_to_the_letter() -> None:
    proxy = stitcher()
    (anchor,) = anchored("said", ("search", "{}"))
    agents = [Agent(proxy, SCOPE._replace(session=f"run {number}")) for number in range(3)]
    turns = [agent.ask(asked(), answered(call("call_0", anchor=anchor)))[1] for agent in agents]
    for agent, turn in zip(agents, turns, strict=True):
        assert agent.ask(asked(echo("call_0", anchor)), answered())[0].trace_id == turn.trace_id


def test_an_id_of_a_recorded_answer_is_not_believed_again_when_the_older_holder_is_forgotten() -> None:
    agent = Agent(stitcher())
    agent.ask(asked(), answered(call(UNIQUE)), NOW)
    agent.ask(asked(), answered(call(UNIQUE)), NOW + STITCH_MEMORY_S - 1)
    joined, _ = agent.ask(asked(echo(UNIQUE)), answered(), NOW + STITCH_MEMORY_S + 1)
    assert joined.trace_id == b""
    assert agent.proxy.counts.misses == {"ambiguous": 1}


def test_a_counted_id_whose_other_holder_had_to_make_room_is_not_believed() -> None:
    agent = Agent(stitcher(LocalMemory(6)))
    (anchor,) = anchored("said", ("search", "{}"))
    agent.ask(asked(), answered(call("call_0", anchor=anchor)))
    for number in range(6):
        agent.ask(asked(), answered(call(f"{UNIQUE}{number}")))
    _, turn = agent.ask(asked(), answered(call("call_0", anchor=anchor), call(UNIQUE_TOO)))
    assert agent.proxy.join(asked(echo("call_0", anchor)), SCOPE, NOW).trace_id == b""
    assert agent.proxy.counts.misses == {"crowded": 1}
    # What is unique by itself has no other holder.
    assert agent.proxy.join(asked(echo(UNIQUE_TOO)), SCOPE, NOW).trace_id == turn.trace_id
    assert agent.proxy.join(asked(echo("call_0", anchor)), SCOPE, NOW + TRACE_AGE_S_MAX).trace_id == turn.trace_id


@pytest.mark.parametrize("stranger", [SCOPE._replace(credential=b"Bearer two"), SCOPE._replace(listener=b"127.0.0.1:9090")])
@pytest.mark.parametrize("call_id", [UNIQUE, "call_0"])
def test_ids_of_another_credential_or_listener_never_meet(call_id: str, stranger: Scope) -> None:
    proxy = stitcher()
    (anchor,) = anchored("said", ("search", "{}"))
    Agent(proxy).ask(asked(), answered(call(call_id, anchor=anchor)))
    joined = proxy.join(asked(echo(call_id, anchor), history=[echo(call_id, anchor)]), stranger, NOW)
    assert (joined.trace_id, joined.links, joined.session) == (b"", [], "")


def test_retries_and_forks_join_as_siblings_and_the_tool_runs_once() -> None:
    agent = Agent(stitcher())
    _, turn = agent.ask(asked(), answered(call(UNIQUE)))
    attempt = agent.attempt
    joins = [agent.ask(asked(echo(UNIQUE)), answered(call(UNIQUE_TOO)), NOW + step)[0] for step in range(1, 4)]
    assert {(joined.trace_id, joined.parent_id, joined.steps) for joined in joins} == {(turn.trace_id, turn.root_id, 1)}
    assert [len(joined.tools) for joined in joins] == [1, 0, 0]
    assert joins[0].tools[0].handed_out_by == attempt
    assert agent.ask(asked(echo(UNIQUE_TOO)), answered())[0].trace_id == turn.trace_id


def test_a_workers_memory_lost_between_two_retries_changes_no_tool_spans_id() -> None:
    memories = [LocalMemory(100), LocalMemory(100)]
    agents = [Agent(stitcher(memory)) for memory in memories]
    _, turn = agents[0].ask(asked(), answered(call(UNIQUE)))
    agents[1].hear(turn, asked(), answered(call(UNIQUE)))
    first, second = (agent.ask(asked(echo(UNIQUE)), answered())[0].tools[0].span_id for agent in agents)
    assert first == second


def test_parallel_calls_join_by_any_of_them_and_each_runs_once() -> None:
    agent = Agent(stitcher())
    _, turn = agent.ask(asked(), answered(call(UNIQUE, "search"), call(UNIQUE_TOO, "read")))
    first, _ = agent.ask(asked(echo(UNIQUE)), answered())
    both, _ = agent.ask(asked(echo("call_lost"), echo(UNIQUE), echo(UNIQUE_TOO)), answered())
    assert {first.trace_id, both.trace_id} == {turn.trace_id}
    assert [[run.tool for run in joined.tools] for joined in (first, both)] == [["search"], ["read"]]
    assert len({run.span_id for joined in (first, both) for run in joined.tools}) == 2


def test_results_of_two_turns_in_one_request_join_neither() -> None:
    agent = Agent(stitcher())
    for call_id in (UNIQUE, UNIQUE_TOO):
        agent.ask(asked(), answered(call(call_id)))
    joined, _ = agent.ask(asked(echo(UNIQUE), echo(UNIQUE_TOO)), answered())
    assert (joined.trace_id, joined.tools) == (b"", [])
    assert agent.proxy.counts.misses == {"ambiguous": 1}


def test_a_shortened_history_changes_nothing_for_the_turn() -> None:
    agent = Agent(stitcher())
    _, turn = agent.ask(asked(), answered(call(UNIQUE)))
    agent.ask(asked(echo(UNIQUE)), answered(call(UNIQUE_TOO)))
    assert agent.ask(asked(echo(UNIQUE_TOO)), answered())[0].trace_id == turn.trace_id


@pytest.mark.parametrize(
    "named", [{"history": [echo("call_lost"), echo(UNIQUE)]}, {"session": "mine"}, {"conversation": "conv_1"}]
)
def test_a_new_turn_is_a_trace_of_its_own_with_the_session_and_a_link(named: dict[str, str]) -> None:
    agent = Agent(stitcher())
    first = asked(**{name: value for name, value in named.items() if name != "history"})  # type: ignore[arg-type]
    _, turn = agent.ask(first, answered(call(UNIQUE)), color=b"blue")
    joined, second = agent.ask(asked(**named), answered())  # type: ignore[arg-type]
    assert (joined.method, joined.trace_id, joined.tools) == ("new", b"", [])
    assert joined.links == [Link(turn.trace_id, turn.root_id, "previous_turn")]
    assert joined.session == turn.session == ("mine" if "session" in named else turn.trace_id.decode())
    assert joined.color == second.color == b"blue"
    assert second.trace_id != turn.trace_id


def test_responses_go_on_with_the_one_before() -> None:
    agent = Agent(stitcher())
    _, turn = agent.ask(asked(api="responses"), answered(call("call_0"), answer_id=RESPONSE))
    step, _ = agent.ask(asked(echo("call_0"), previous=RESPONSE, api="responses"), answered())
    assert (step.method, step.trace_id) == ("response_id", turn.trace_id)
    next_turn, _ = agent.ask(asked(previous=RESPONSE, api="responses"), answered())
    assert (next_turn.method, next_turn.trace_id) == ("new", b"")
    assert next_turn.links == [Link(turn.trace_id, turn.root_id, "previous_turn")]


def test_a_counted_id_of_an_answer_says_nothing() -> None:
    agent = Agent(stitcher())
    agent.ask(asked(api="responses"), answered(answer_id="resp_123"))
    joined, _ = agent.ask(asked(echo("call_0"), previous="resp_123", api="responses"), answered())
    assert (joined.trace_id, joined.links) == (b"", [])


def test_the_answer_before_and_the_calls_must_agree() -> None:
    agent = Agent(stitcher())
    agent.ask(asked(api="responses"), answered(answer_id=RESPONSE))
    agent.ask(asked(api="responses"), answered(call(UNIQUE)))
    joined, _ = agent.ask(asked(echo(UNIQUE), previous=RESPONSE, api="responses"), answered())
    assert joined.trace_id == b""
    assert agent.proxy.counts.misses == {"ambiguous": 1}


def test_a_conversation_alone_joins_no_turn_as_an_answer_in_between_may_not_have_been_seen() -> None:
    agent = Agent(stitcher())
    _, turn = agent.ask(asked(conversation="conv_1"), answered(call(UNIQUE), conversation="conv_1"))
    unseen, _ = agent.ask(asked(echo(UNIQUE_TOO), conversation="conv_1"), answered())
    assert unseen.trace_id == b""
    assert unseen.links == [Link(turn.trace_id, turn.root_id, "previous_turn")]
    agent.hear(turn, asked(conversation="conv_1"), answered(call(UNIQUE)), NOW + 1)
    assert agent.ask(asked(echo(UNIQUE), conversation="conv_1"), answered(), NOW + 2)[0].method == "conversation"


def test_a_sub_agent_begins_a_trace_in_its_parents_session() -> None:
    agent = Agent(stitcher(), SCOPE._replace(session="theirs"))
    _, parent = agent.ask(asked(), answered(call(UNIQUE, "task")))
    sub, _ = agent.ask(asked(), answered(call(UNIQUE_TOO)))
    assert (sub.trace_id, sub.session) == (b"", "theirs")
    result, _ = agent.ask(asked(echo(UNIQUE)), answered())
    assert result.trace_id == parent.trace_id


def test_sessions_that_begin_alike_never_merge() -> None:
    proxy = stitcher()
    names = ["user_" + "0" * 200 + f"_session_{number}" for number in range(2)]
    for name in names:
        Agent(proxy).ask(asked(session=name), answered())
    found = [proxy.join(asked(session=name), SCOPE, NOW) for name in names]
    assert found[0].session != found[1].session
    assert found[0].links[0].trace_id != found[1].links[0].trace_id
    assert all(len(joined.session.encode()) <= 64 for joined in found)


def test_what_a_request_calls_its_session_outranks_what_is_remembered() -> None:
    agent = Agent(stitcher())
    agent.ask(asked(session="body"), answered(call(UNIQUE)))
    assert agent.proxy.join(asked(echo(UNIQUE)), SCOPE, NOW).session == "body"
    assert agent.proxy.join(asked(echo(UNIQUE), session="other"), SCOPE, NOW).session == "other"
    header = SCOPE._replace(session="header")
    assert agent.proxy.join(asked(echo(UNIQUE), session="other"), header, NOW).session == "header"


def test_the_decision_to_sample_is_the_traces() -> None:
    proxy = stitcher()
    turn = proxy.join(asked(), SCOPE, NOW).turn(b"1" * 32, b"2" * 16, False, b"", NOW)
    proxy.remember(turn, SCOPE, new_span(), answered(call(UNIQUE)), asked(), NOW)
    joined = proxy.join(asked(echo(UNIQUE)), SCOPE, NOW)
    assert joined.sampled is False
    assert joined.turn(b"3" * 32, b"4" * 16, True, b"", NOW).sampled is False


def test_a_trace_that_is_too_old_is_followed_by_another() -> None:
    agent = Agent(stitcher())
    _, turn = agent.ask(asked(), answered(call(UNIQUE)), color=b"blue")
    assert agent.proxy.join(asked(echo(UNIQUE)), SCOPE, NOW + TRACE_AGE_S_MAX).trace_id == turn.trace_id
    joined, second = agent.ask(asked(echo(UNIQUE)), answered(), NOW + TRACE_AGE_S_MAX + 1)
    assert (joined.method, joined.trace_id, joined.tools) == ("new", b"", [])
    assert joined.links == [Link(turn.trace_id, turn.root_id, "rolled_over")]
    assert (second.session, second.color, second.steps, second.began) == (turn.session, b"blue", 0, NOW + TRACE_AGE_S_MAX + 1)
    assert agent.proxy.counts.misses == {"rolled_over": 1}


def test_a_trace_that_is_too_long_is_followed_by_another() -> None:
    agent = Agent(stitcher())
    (request, ids), traces = (asked(), [UNIQUE, UNIQUE_TOO]), []
    for step in range(TRACE_STEPS_MAX + 2):
        _, turn = agent.ask(request, answered(call(ids[step % 2])), NOW + step)
        request = asked(echo(ids[step % 2]))
        traces.append(turn.trace_id)
    assert len(set(traces[: TRACE_STEPS_MAX + 1])) == 1
    assert len(set(traces)) == 2
    assert agent.proxy.counts.misses == {"rolled_over": 1}


def test_what_is_remembered_is_forgotten_in_time() -> None:
    agent = Agent(stitcher())
    agent.ask(asked(), answered(call(UNIQUE)))
    joined, _ = agent.ask(asked(echo(UNIQUE)), answered(), NOW + STITCH_MEMORY_S + 1)
    assert (joined.trace_id, joined.links) == (b"", [])


def test_trace_headers_win_and_the_ids_leave_a_link() -> None:
    agent = Agent(stitcher())
    _, turn = agent.ask(asked(), answered(call(UNIQUE)))
    other = agent.proxy.beside(asked(echo(UNIQUE)), SCOPE, b"f" * 32, NOW)
    assert (other.trace_id, other.tools) == (b"", [])
    assert other.links == [Link(turn.trace_id, turn.root_id, "stitch")]
    assert other.turn(b"f" * 32, b"1" * 16, True, b"", NOW).trace_id == b"f" * 32


def test_trace_headers_that_agree_with_the_ids_get_the_tool_runs() -> None:
    agent = Agent(stitcher())
    _, turn = agent.ask(asked(), answered(call(UNIQUE)))
    same = agent.proxy.beside(asked(echo(UNIQUE)), SCOPE, turn.trace_id, NOW)
    assert (same.trace_id, same.root_id, same.links) == (turn.trace_id, turn.root_id, [])
    assert [run.call_id for run in same.tools] == [UNIQUE]
    assert agent.proxy.counts.joins == {"new": 1}


@pytest.mark.parametrize("text", ["\ud800", "\x00", "x" * 5000, "call_é", " "])
def test_no_text_of_a_client_is_too_odd(text: str) -> None:
    agent = Agent(stitcher(), SCOPE._replace(session=text))
    (anchor,) = anchored("said", ("search", "{}"))
    request = asked(session=text, previous=text, conversation=text, api="responses")
    _, turn = agent.ask(request, answered(call(text, text, anchor=anchor), answer_id=text, conversation=text))
    joined, _ = agent.ask(asked(Echo(text, text, anchor), conversation=text), answered())
    assert joined.trace_id == turn.trace_id


def test_only_so_many_results_of_a_request_are_looked_at() -> None:
    looked_up = []

    class Watched(LocalMemory):
        def get(self, key: bytes, now: float) -> list:  # type: ignore[type-arg]
            looked_up.append(key)
            return super().get(key, now)

    strangers: list[Echo] = [echo(f"call_Xk3pQ9vLw2RtYb7NcJm4Dz{number:04}") for number in range(1000)]
    request: Asked = asked(*strangers, history=strangers)
    stitcher(Watched(10)).join(request, SCOPE, NOW)
    assert len(looked_up) < 100


def test_calls_that_are_not_unique_are_known_by_the_answer_that_the_request_names() -> None:
    """Responses with ``previous_response_id``: the message that handed the call out is not in the request."""
    agent = Agent(stitcher())
    for response_id in (RESPONSE, RESPONSE.replace("68f1", "97ac")):
        _, turn = agent.ask(asked(api="responses"), answered(call("call_0"), answer_id=response_id))
        joined, _ = agent.ask(asked(echo("call_0"), api="responses", previous=response_id), answered())
        assert (joined.method, joined.trace_id) == ("response_id", turn.trace_id)
        assert [(run.tool, run.call_id) for run in joined.tools] == [("search", "call_0")]

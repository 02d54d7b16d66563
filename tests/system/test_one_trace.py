"""Agents that forward nothing: one trace per turn, whole and right, through two workers."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from agents import anthropic_agent, gemini_agent, openai_agent
from aiohttp import ClientSession
from otlp_receiver import Span, Tree
from providers import TOKENS, IdStyle, Script
from traced import API_OF, PROTOCOLS, SpanCount, Stage, clients, stage

from tracer_proxy.genai.answered import Usage

SCRIPT = Script()
MODEL = {"openai": openai_agent.MODEL, "anthropic": anthropic_agent.MODEL, "gemini": gemini_agent.MODEL}
OPERATION = {"openai": "chat", "anthropic": "chat", "gemini": "generate_content"}
_READ = TOKENS.fresh + TOKENS.cache_read
USAGE = {
    "chat": Usage(input=_READ, output=TOKENS.output, cache_read=TOKENS.cache_read),
    "responses": Usage(input=_READ + TOKENS.cache_creation, output=TOKENS.output, cache_read=TOKENS.cache_read),
    "own_items": Usage(input=_READ + TOKENS.cache_creation, output=TOKENS.output, cache_read=TOKENS.cache_read),
    "messages": Usage(input=_READ + TOKENS.cache_creation, output=TOKENS.output, cache_read=TOKENS.cache_read),
    "gemini": Usage(input=_READ, output=TOKENS.output, cache_read=TOKENS.cache_read),
}
"""By the conventions' rules: what a cache held is part of the input, reasoning is part of the output."""

AGENTS = 50
RUNS = 1000
TURNS_TWO_EVERY = 5
"""Every so manyth run has a second turn."""
TWINS_EVERY = 20
"""Every so manyth run is said again, word for word and with the same key, by the run after it."""
TOLD = ("tracer_proxy_join", "tracer_proxy_records_dropped", "tracer_proxy_spans", "tracer_proxy_observations_abandoned")
"""What the proxy itself says of it."""
MISSED_SHARE_MAX = 0.01
"""Of the exchanges of runs that are not twins."""


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, *IdStyle) as running:
        yield running


def styles_of(protocol: str) -> Iterator[IdStyle]:
    """Only Gemini has calls without ids."""
    return (style for style in IdStyle if style is not IdStyle.NONE or protocol == "gemini")


def spans_of_turn(protocol: str) -> SpanCount:
    """At least. Where the provider keeps the conversation, a request names the answer before it, so the turn is found, but it
    does not repeat the calls: an id that does not look unique says nothing there, and its tool is not seen."""
    return SpanCount(2 * SCRIPT.exchanges, 0 if protocol == "responses" else len(SCRIPT.tools))


async def turns(running: Stage, protocol: str, style: IdStyle, *prompts: str, stream: bool) -> list[Tree]:
    """The trees of one conversation's turns. Fails the test unless each is one whole trace."""
    noted: list[str] = []
    async with clients(running.proxy.url, noted.append) as made:
        agent = made.agent(protocol, style, stream=stream)
        for prompt in prompts:
            assert await agent.turn(prompt) == SCRIPT.answer
    by_turn = [noted[start : start + SCRIPT.exchanges] for start in range(0, len(noted), SCRIPT.exchanges)]
    assert [len(set(trace_ids)) for trace_ids in by_turn] == [1] * len(prompts), by_turn
    assert len({trace_ids[0] for trace_ids in by_turn}) == len(prompts), "two turns share a trace"
    trees = await running.trees_of(dict.fromkeys(noted, spans_of_turn(protocol)))
    for tree in trees:
        check_whole(tree, protocol)
    return trees


def check_whole(tree: Tree, protocol: str) -> None:
    """One root, under which everything hangs: an inbound leg per request with its outbound leg, and a span per tool."""
    assert (tree.orphans, tree.doubles) == ([], []), str(tree)
    (root,) = tree.roots
    served, asked, used = (tree.of_kind(kind) for kind in ("SERVER", "CLIENT", "INTERNAL"))
    assert (len(served), len(asked)) == (SCRIPT.exchanges, SCRIPT.exchanges), str(tree)
    assert tools_not_seen(tree).total() == 0 or protocol == "responses", str(tree)
    assert served[0] == root
    assert {span.parent_id for span in [*served[1:], *used]} == {root.span_id}, str(tree)
    assert [tree.parent(span) for span in asked] == served, str(tree)
    assert [span.status for span in tree.spans] == ["UNSET"] * len(tree.spans)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_turn_is_one_tree_whose_spans_say_what_happened(running: Stage, protocol: str, stream: bool) -> None:
    (tree,) = await turns(running, protocol, IdStyle.RANDOM, "To Oslo!", stream=stream)
    api = API_OF[protocol]
    heard = running.providers[IdStyle.RANDOM].journal
    asked = tree.of_kind("CLIENT")
    assert {span.name for span in tree.of_kind("SERVER")} == {f"POST /random/{api}"}
    assert {span.name for span in asked} == {f"{OPERATION[api]} {MODEL[api]}"}
    assert [(each.trace_id, each.parent_id) for each in heard] == [(tree.trace_id, span.span_id) for span in asked]
    assert {span.attributes["session.id"] for span in tree.spans} == {tree.roots[0].attributes["session.id"]}
    for span in asked:
        check_tokens(span, USAGE[protocol])
        assert span.attributes.get("gen_ai.request.stream", False) is stream
    assert not [span.name for span in tree.of_kind("SERVER") if [key for key in span.attributes if key.startswith("gen_ai.")]]


def tools_not_seen(tree: Tree) -> Counter[str]:
    """By name. Fails the test if a tool is seen that was not called."""
    called = Counter(f"execute_tool {tool}" for tool in SCRIPT.tools)
    seen = Counter(span.name for span in tree.of_kind("INTERNAL"))
    assert seen <= called, str(tree)
    return called - seen


def check_tokens(span: Span, usage: Usage) -> None:
    said = {name: span.attributes.get(f"gen_ai.usage.{name}") for name in ("input_tokens", "output_tokens")}
    assert said == {"input_tokens": usage.input, "output_tokens": usage.output}
    assert span.attributes.get("gen_ai.usage.cache_read.input_tokens") == usage.cache_read


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_tools_are_seen_between_the_answer_that_calls_and_the_request_that_returns(
    running: Stage, protocol: str, stream: bool
) -> None:
    (tree,) = await turns(running, protocol, IdStyle.RANDOM, "To Oslo!", stream=stream)
    heard, asked = running.providers[IdStyle.RANDOM].journal, tree.of_kind("CLIENT")
    calls = [(call_id, step) for step, each in enumerate(heard) for call_id in each.call_ids]
    called = {call_id: (tool, step) for (call_id, step), tool in zip(calls, SCRIPT.tools, strict=True)}
    used = tree.of_kind("INTERNAL")
    assert used, str(tree)
    for span in used:
        tool, step = called.pop(span.attributes["gen_ai.tool.call.id"])
        assert span.name == f"execute_tool {tool}"
        assert span.attributes["gen_ai.operation.name"] == "execute_tool"
        assert asked[step].span_id in [link.span_id for link in span.links], "no link to the answer that called it"
        assert asked[step].begins_ns <= span.begins_ns <= span.ends_ns <= asked[step + 1].ends_ns


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_turns_of_a_conversation_are_traces_of_one_session_and_linked(
    running: Stage, protocol: str, stream: bool
) -> None:
    first, second = await turns(running, protocol, IdStyle.RANDOM, "To Oslo!", "Again!", stream=stream)
    sessions = {span.attributes["session.id"] for tree in (first, second) for span in tree.spans}
    assert len(sessions) == 1
    links = [link for link in second.roots[0].links if link.trace_id == first.trace_id]
    assert [list(link.attributes.values()) for link in links] == [["previous_turn"]]
    assert links[0].span_id in {span.span_id for span in first.spans}


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_ids_that_are_not_unique_join_their_own_turn_only(running: Stage, protocol: str) -> None:
    """The same two conversations, begun again and again with other words: ids and arguments are the same in all of them."""
    for style in styles_of(protocol):
        trees = [
            tree
            for place in range(3)
            for tree in await turns(running, protocol, style, f"To Oslo, {place}!", "Again!", stream=place == 1)
        ]
        assert len({tree.trace_id for tree in trees}) == 6, style


@dataclass
class Run:
    """One conversation of the crowd, and what is true of it."""

    number: int
    protocol: str
    style: IdStyle
    stream: bool
    prompts: list[str]
    is_twin: bool
    turns: list[list[str]] = field(default_factory=list)
    """Trace ids of the answers, turn by turn."""

    @property
    def kind(self) -> str:
        return f"{self.protocol}, ids {self.style}{', twins' if self.is_twin else ''}"


def crowd() -> list[Run]:
    """Every protocol with every way to make ids; most are told apart by their words alone, twins by nothing at all."""
    kinds = [(protocol, style) for protocol in PROTOCOLS for style in styles_of(protocol)]
    runs: list[Run] = []
    for number in range(RUNS):
        second = number % TWINS_EVERY == 1
        protocol, style = (runs[-1].protocol, runs[-1].style) if second else kinds[number % len(kinds)]
        is_twin = number % TWINS_EVERY < 2
        who = f"twins {number // TWINS_EVERY}" if is_twin else f"run {number}"
        prompts = [f"To Oslo, {who}!"] + ["Again!"] * (number // 2 % TURNS_TWO_EVERY == 0)
        runs.append(Run(number, protocol, style, number // 2 % 2 == 0, prompts, is_twin))
    return runs


async def play(running: Stage, waiting: list[Run], agent: int) -> None:
    """One agent after the other of the same user. Every other user has a key of its own; half of them keep connections."""
    noted: list[str] = []
    own = f"key-{agent}" if agent % 2 else "shared"
    async with (
        clients(running.proxy.url, noted.append, key=own, keep=agent % 4 < 2) as made,
        clients(running.proxy.url, noted.append, key="shared") as made_as_all,
    ):
        while waiting:
            run = waiting.pop()
            talking = (made_as_all if run.is_twin else made).agent(run.protocol, run.style, stream=run.stream)
            for prompt in run.prompts:
                assert await talking.turn(prompt) == SCRIPT.answer
                run.turns.append(noted.copy())
                noted.clear()


@pytest.mark.timeout(900)
async def test_a_thousand_runs_of_fifty_agents_whose_ids_collide(running: Stage) -> None:
    runs = crowd()
    waiting = runs[::-1]
    await asyncio.gather(*(play(running, waiting, agent) for agent in range(AGENTS)))
    exchanges = sum(len(trace_ids) for run in runs for trace_ids in run.turns)
    assert exchanges == sum(len(run.prompts) for run in runs) * SCRIPT.exchanges
    wrong, missed = judged(runs)
    metrics = await metrics_of(running)
    print(f"\n{len(runs)} runs, {exchanges} exchanges: {len(wrong)} wrong joins, {sum(missed.values())} missed ones")
    for kind, times in missed.most_common():
        print(f"  {times:5} missed: {kind}")
    print("\n".join(line for line in metrics.splitlines() if line.startswith(TOLD) and not line.endswith(" 0")))
    assert wrong == []
    told_apart = sum(times for kind, times in missed.items() if "twins" not in kind)
    assert told_apart <= exchanges * MISSED_SHARE_MAX, missed

    whole = {trace_ids[0]: run for run in runs for trace_ids in run.turns if len(set(trace_ids)) == 1}
    not_seen: Counter[str] = Counter()
    for tree in await running.trees_of({trace_id: spans_of_turn(run.protocol) for trace_id, run in whole.items()}):
        run = whole[tree.trace_id]
        check_whole(tree, run.protocol)
        not_seen[run.kind] += tools_not_seen(tree).total()
    for kind, times in (+not_seen).most_common():
        print(f"  {times:5} tools not seen: {kind}")
    check_what_providers_heard(running, runs)


def judged(runs: list[Run]) -> tuple[list[str], Counter[str]]:
    """Joins of what does not belong together, and by kind how often a turn was not joined to its trace."""
    wrong: list[str] = []
    missed: Counter[str] = Counter()
    owner: dict[str, tuple[int, int]] = {}
    for run in runs:
        for turn, trace_ids in enumerate(run.turns):
            missed[run.kind] += len(set(trace_ids)) - 1
            for trace_id in trace_ids:
                first = owner.setdefault(trace_id, (run.number, turn))
                if first != (run.number, turn):
                    wrong.append(
                        f"run {run.number}, turn {turn} ({run.kind}) is in the trace of run {first[0]}, turn {first[1]}"
                    )
    return wrong, +missed


def check_what_providers_heard(running: Stage, runs: list[Run]) -> None:
    """The traces that providers were told of are those that the agents were, run by run where its words tell which it is."""
    heard: dict[str, Counter[str]] = {}
    for provider in running.providers.values():
        for each in provider.journal:
            assert each.said is not None
            heard.setdefault(first_words(each.body), Counter())[each.trace_id] += 1
    for run in runs:
        if not run.is_twin and run.protocol != "responses":
            told = Counter(trace_id for trace_ids in run.turns for trace_id in trace_ids)
            assert heard[run.prompts[0]] == told, run


def first_words(body: dict[str, object]) -> str:
    """Of the user, in the whole conversation that a request holds."""
    text = json.dumps(body, ensure_ascii=False)
    start = text.find("To Oslo, ")
    return text[start : text.find("!", start) + 1]


async def metrics_of(running: Stage) -> str:
    url = f"http://127.0.0.1:{running.proxy.admin_port}/metrics"
    async with ClientSession() as session, session.get(url) as answer:
        return await answer.text()

"""A thousand runs of agents whose ids collide, fifty at a time, through two workers: no exchange joins another's turn.

Each run knows whose an exchange is; the stitchers know only what requests and answers say. Agents send a request twice, go on
twice from the same point, and send an old one again; and some conversations are the same to the letter.
"""

import os
import random
from collections import Counter
from collections.abc import Generator
from typing import NamedTuple

import pytest
from msgspec.structs import replace
from stitching_cases import NOW, SCOPE, anchored, answered, asked, call, echo, new_span, new_trace, tools_call

from tracer_proxy.dataplane import shared_memory
from tracer_proxy.dataplane.shared_memory import SharedMemory, create
from tracer_proxy.genai.answered import Answered
from tracer_proxy.genai.asked import Asked, Echo
from tracer_proxy.stitching.keys import Keys
from tracer_proxy.stitching.stitcher import Stitcher
from tracer_proxy.stitching.turn import Turn

RUNS = 1000
AT_ONCE = 50
STYLES = ["random", "call_0", "functions.f:0", "name", "none"]
TOOLS = ["f", "search", "files.read"]
ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


class Owner(NamedTuple):
    run: int
    turn: int


class World:
    def __init__(self, seed: int, memories: list[SharedMemory]) -> None:
        self.dice = random.Random(seed)
        self.workers = [Stitcher(memory, Keys(memory.secret)) for memory in memories]
        self.now = NOW
        self.owners: dict[bytes, Owner] = {}
        """Of each trace."""
        self.wrong: list[str] = []
        self.met: Counter[tuple[str, bool]] = Counter()
        """Requests with results, by kind of agent, and whether they joined."""
        self.returned: Counter[bytes] = Counter()
        """How often the run of a tool was told, by its span."""
        self.tool_servers: Counter[bool] = Counter()

    def worker(self) -> Stitcher:
        """Any of them, a millisecond later."""
        self.now += 0.001
        return self.dice.choice(self.workers)

    def run_all(self) -> None:
        waiting = [Agent(self, number).live() for number in range(RUNS)]
        running = [waiting.pop() for _ in range(AT_ONCE)]
        while running:
            place = self.dice.randrange(len(running))
            try:
                next(running[place])
            except StopIteration:
                running[place] = running[-1]
                running.pop()
                if waiting:
                    running.append(waiting.pop())


class Agent:
    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.style = world.dice.choice(STYLES)
        # Draws only what its conversation says: those of the same make say the same.
        copied = number % 10 == 0
        self.mind = random.Random(number // 100 if copied else number + RUNS)
        self.kind = "copied " + self.style if copied else self.style
        self.scope = SCOPE._replace(credential=world.dice.choice([b"one", b"one", b"one", b"two"]))
        self.said = f"begin {number // 100}" if copied else f"begin {number} of {RUNS}"
        self.history: list[Echo] = []

    def live(self) -> Generator[None]:
        """Pauses wherever others may come in between."""
        for turn in range(self.mind.randint(1, 3)):
            self.said += "|question"
            results: list[Echo] = []
            for step in range(self.mind.randint(1, 5)):
                request = asked(*results, history=self.history[:4])
                answer, results = self.answer()
                yield from self.exchange(request, answer, turn)
                if self.world.dice.random() < 0.1:
                    # Sent again. At the start of a turn that is a trace of its own, and the model says something else.
                    answer, results = (answer, results) if step else self.answer()
                    yield from self.exchange(request, answer, turn)
                self.use(answer, turn)
                yield
                if self.world.dice.random() < 0.1:
                    yield from self.fork(results, turn)
                self.said += str(results)
                self.history = [*results, *self.history]

    def answer(self) -> tuple[Answered, list[Echo]]:
        made = [(self.mind.choice(TOOLS), f'{{"q": {self.mind.randint(0, 200)}}}') for _ in range(self.mind.randint(1, 3))]
        anchors = anchored(self.said, *made)
        calls = [
            call(self.call_id(tool, place), tool, arguments, anchors[place]) for place, (tool, arguments) in enumerate(made)
        ]
        return answered(*calls), [echo(each.call_id, each.anchor) for each in calls]

    def call_id(self, tool: str, place: int) -> str:
        drawn = "call_" + "".join(self.world.dice.choices(ALPHABET, k=24))
        ids = {"random": drawn, "call_0": f"call_{place}", "functions.f:0": f"functions.{tool}:{place}", "name": tool}
        return ids.get(self.style, "")

    def exchange(self, request: Asked, answer: Answered, turn: int) -> Generator[None]:
        continued = self.join(request, turn)
        yield
        self.world.worker().remember(continued, self.scope, new_span(), answer, request, self.world.now)
        yield

    def fork(self, results: list[Echo], turn: int) -> Generator[None]:
        """Somebody goes on from the same point in another way, and then again."""
        said = self.said
        self.said += f"{results}|{self.world.dice.random()}"
        answer, more = self.answer()
        yield from self.exchange(asked(*results), answer, turn)
        self.join(asked(*more[: self.world.dice.randint(1, 3)]), turn)
        self.said = said

    def join(self, request: Asked, turn: int) -> Turn:
        world, owner = self.world, Owner(self.number, turn)
        joined = world.worker().join(request, self.scope, world.now)
        continued = joined.turn(new_trace(), new_span(), True, b"", world.now)
        if world.owners.setdefault(continued.trace_id, owner) != owner:
            world.wrong.append(f"{owner} {self.kind} joined {world.owners[continued.trace_id]} by {joined.method}")
        world.wrong += [
            f"{owner} {self.kind} linked" for link in joined.links if world.owners[link.trace_id].run != self.number
        ]
        world.returned.update(run.span_id for run in joined.tools)
        if request.results:
            world.met[self.kind, bool(joined.trace_id)] += 1
        return continued

    def use(self, answer: Answered, turn: int) -> None:
        """Runs one of the tools on a server behind the proxy."""
        handed_out = self.world.dice.choice(answer.calls)
        rpc = replace(tools_call(handed_out.tool.rpartition(".")[2]), arguments_digest=handed_out.arguments_digest)
        joined = self.world.worker().pending.join(rpc, self.scope.place, self.world.now)
        found = joined is not None and bool(joined.trace_id)
        self.world.tool_servers[found] += 1
        if joined and found and self.world.owners[joined.trace_id] != Owner(self.number, turn):
            self.world.wrong.append(f"{self.number} {self.kind} took another's call")


@pytest.mark.parametrize("seed", range(2))
def test_no_exchange_joins_a_turn_that_is_not_its_own_and_misses_are_explained(seed: int) -> None:
    fd = create()
    memories = [SharedMemory(fd, region) for region in range(2)]
    world = World(seed, memories)
    world.run_all()
    for memory in memories:
        memory.close()
    os.close(fd)

    misses = sum((worker.counts.misses for worker in world.workers), Counter[str]())
    missed = {kind: times for (kind, joined), times in world.met.items() if not joined}
    # The same to the letter and without an id that tells them apart: nobody can say whose a result is.
    alike = {"copied " + style for style in STYLES if style != "random"}
    assert world.wrong == []
    assert missed.keys() & alike
    # The others are few: the memory's secret, another one in each run, decides whose place happens to be full.
    assert sum(times for kind, times in missed.items() if kind not in alike) <= 20
    assert misses["crowded"] <= 20
    assert set(misses) <= {"ambiguous", "crowded"}
    assert all(world.met[style, True] > 200 for style in STYLES)
    assert set(world.returned.values()) == {1}
    assert min(world.tool_servers.values()) > 100


def test_more_traffic_than_the_memory_has_room_for_costs_joins_and_makes_none_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "STITCH_BUCKETS", 128)
    fd = create()
    memories = [SharedMemory(fd, region) for region in range(2)]
    world = World(7, memories)
    world.run_all()
    for memory in memories:
        memory.close()
    os.close(fd)

    assert world.wrong == []
    misses = sum((worker.counts.misses for worker in world.workers), Counter[str]())
    assert min(misses["crowded"], misses["unknown_id"], world.met["random", True], world.met["call_0", True]) > 50

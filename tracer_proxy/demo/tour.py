"""The tour from start to end: start everything, drive the sessions, read what was seen, tell it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import aiohttp

from tracer_proxy.demo import scene, tree
from tracer_proxy.demo.caller import Caller, sessions
from tracer_proxy.demo.commands import suggestions
from tracer_proxy.demo.evidence import Evidence
from tracer_proxy.demo.findings import CANARY_VERSION, findings
from tracer_proxy.demo.journal import TURNS_BETWEEN_READS, JournalReader
from tracer_proxy.demo.proxy import DemoError, RunningProxy
from tracer_proxy.demo.report import Report
from tracer_proxy.demo.scene import MODELS, Scene
from tracer_proxy.demo.split import Lane, shares


@dataclass(frozen=True, slots=True)
class Plan:
    sessions: int
    turns: int
    seed: int


async def tour(plan: Plan, keep: bool, report: Report) -> bool:
    """Whether everything was as it must be. With ``keep`` it then waits until it is cancelled. Raises ``DemoError``."""
    report.say("Starting a proxy, a mock LLM and two versions of an agent, on loopback only.")
    async with scene.running() as running:
        lanes = await running.lanes()
        _introduce(report, running, lanes)
        evidence = await _drive(plan, running, report)
        good = _tell(report, lanes, evidence, await running.proxy_errors())
        _suggest(report, running, keep)
        if keep:
            await _wait(running.proxy)
    return good


async def _wait(proxy: RunningProxy) -> None:
    """Until the tour is cancelled: that is how one that was kept comes to its good end."""
    with suppress(asyncio.CancelledError):
        raise await proxy.ended()


async def _drive(plan: Plan, running: Scene, report: Report) -> Evidence:
    journal = JournalReader(running.client, running.proxy.mock_url)
    report.heading(f"{plan.sessions} sessions × {plan.turns} turns", "one turn: caller → proxy → planner → proxy → mock LLM")
    started = time.monotonic()
    with report.progress(plan.sessions * plan.turns) as advance:
        caller = Caller(running.client, running.proxy.url, _after_turn(journal, advance))
        try:
            await caller.drive(sessions(plan.sessions, plan.seed), plan.turns)
        except* (aiohttp.ClientError, TimeoutError) as group:
            running.proxy.check()
            raise DemoError(f"The journal of the mock LLM cannot be read: {group.exceptions[0]}") from None
    took_s = time.monotonic() - started
    running.proxy.check()
    await journal.read()
    visits = [visit for agent in running.agents.values() for visit in agent.visits]
    report.say(f"{len(caller.turns)} turns and {len(journal.calls)} LLM calls in {took_s:.1f} s", "dim")
    return Evidence(caller.turns, visits, journal.calls)


def _after_turn(journal: JournalReader, advance: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    """Reads the journal now and then, before it is full."""
    turns = 0

    async def after_turn() -> None:
        nonlocal turns
        turns += 1
        advance()
        if turns % TURNS_BETWEEN_READS == 0:
            await journal.read()

    return after_turn


def _introduce(report: Report, running: Scene, lanes: Sequence[Lane]) -> None:
    notes = {lane.version: f"lane {lane.name}, weight {lane.weight:g}, {MODELS[lane.version]}" for lane in lanes}
    report.addresses(
        [
            ("tracer-proxy", running.proxy.url, "a process of its own"),
            ("admin port", running.proxy.admin_url, ""),
            ("mock LLM", running.proxy.mock_url, "free, offline, deterministic"),
            *((f"planner {version}", url, notes[version]) for version, url in running.agent_urls.items()),
        ]
    )


def _tell(report: Report, lanes: Sequence[Lane], evidence: Evidence, proxy_errors: dict[str, int]) -> bool:
    split = shares(lanes, evidence.turns)
    found = findings(evidence, split, proxy_errors)
    report.heading("Where the sessions went", "expected by weight, ± two standard deviations")
    report.split(split)
    report.heading("What must hold")
    report.findings(found)
    turn = tree.telling_turn(evidence.turns, CANARY_VERSION)
    if turn is not None:
        report.heading(f"One trace: {turn.trace_id}", "as it was seen on the wire")
        report.tree(list(tree.lines(tree.grow(evidence, turn, lanes))))
    complaints = [finding.complaint for finding in found if finding.complaint]
    if complaints:
        report.heading("What went wrong")
        report.complain(complaints)
    return not complaints


def _suggest(report: Report, running: Scene, keep: bool) -> None:
    report.heading("Try next", "everything is still there; in another terminal:" if keep else "")
    urls = running.proxy.url, running.proxy.admin_url, running.proxy.mock_url
    report.suggest(suggestions(*urls, running.environ, kept=keep))
    if keep:
        report.heading("Ctrl-C ends it all")

"""Agents through a proxy that exports to a backend, and what the backend must show of them."""

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientError
from providers import TOKENS, Script, ScriptedProvider, scripted_provider
from proxy_process import config_file, running_file

from backends.backend import Backend
from backends.failed import BackendsError
from backends.seen import Seen

AGENT_S = 120.0
SHOWN_S = 120.0
"""Until a backend must show everything."""
LINES = 15
SCRIPT = Script()
PROMPTS = ("Plan a trip to Oslo and book the flight.", "The same again next week, please.")
CONFIG = """
version: 1
proxy: {{listen: 127.0.0.1:0, workers: 2}}
admin: {{listen: 127.0.0.1:0}}
tracing: {{exporter: otlp, endpoint: "{url}", headers: {{{headers}}}, timeout: 30s}}
routes:
  - name: openai
    match: {{path: /openai}}
    rewrite: {{prefix: /}}
    llm: {{api: openai}}
    egress: trace
    lanes: [{{name: only, pool: provider}}]
  - name: anthropic
    match: {{path: /anthropic}}
    rewrite: {{prefix: /}}
    llm: {{api: anthropic}}
    egress: trace
    lanes: [{{name: only, pool: provider}}]
pools: {{provider: {{endpoints: ["{provider}"]}}}}
"""


@dataclass(frozen=True)
class AgentCommand:
    """A program of somebody who knows of no proxy."""

    module: str
    base_path: str
    input_tokens: int
    """Of each answer, by the conventions: what a cache held counts."""
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.module, *self.options))


_READ = TOKENS.fresh + TOKENS.cache_read
AGENTS = (
    AgentCommand("agents.openai_agent", "/openai/v1", _READ),
    AgentCommand("agents.openai_agent", "/openai/v1", _READ, ("--stream",)),
    AgentCommand("agents.anthropic_agent", "/anthropic", _READ + TOKENS.cache_creation),
    AgentCommand("agents.anthropic_agent", "/anthropic", _READ + TOKENS.cache_creation, ("--stream",)),
)


async def check(backend: Backend) -> None:
    """Runs the agents and raises BackendsError unless ``backend`` shows each turn as one trace."""
    headers = ", ".join(f'{name}: "{value}"' for name, value in backend.headers.items())
    async with scripted_provider() as provider:
        text = CONFIG.format(url=backend.url, headers=headers, provider=provider.url)
        async with running_file(config_file(text, backend.folder)) as proxy:
            for agent in AGENTS:
                turns = await trace_ids(agent, proxy.url, provider)
                shown = [await shown_as(backend, trace_id, expected(agent, trace_id)) for trace_id in turns]
                sessions = {seen.session for seen in shown}
                if len(sessions) > 1 or "" in sessions:
                    raise BackendsError(f"{backend.name} shows the turns of {agent} in sessions {sorted(sessions)}", _LOOK)
                print(f"  {agent}: {len(shown)} turns, each one trace: {_described(shown[0])}", flush=True)


async def trace_ids(agent: AgentCommand, proxy_url: str, provider: ScriptedProvider) -> list[str]:
    """Runs an agent; the trace of each turn, as the provider was told of it."""
    before = len(provider.journal)
    await run_agent(agent, proxy_url)
    heard = provider.journal[before:]
    turns = [[each.trace_id for each in heard if each.said and each.said.prompt == prompt] for prompt in PROMPTS]
    for prompt, traces in zip(PROMPTS, turns, strict=True):
        if len(set(traces)) != 1 or len(traces) != SCRIPT.exchanges:
            what = f"{agent}: the {len(traces)} requests of {prompt!r} went to the provider in {len(set(traces))} traces"
            raise BackendsError(what, "the proxy has not joined them: see tests/system/test_one_trace.py")
    return [traces[0] for traces in turns]


async def run_agent(agent: AgentCommand, proxy_url: str) -> None:
    prompts = [word for prompt in PROMPTS for word in ("--prompt", prompt)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        agent.module,
        "--base-url",
        proxy_url + agent.base_path,
        *prompts,
        *agent.options,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(AGENT_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise BackendsError(f"{agent} has not ended after {AGENT_S:.0f} s", "run it again; the machine may be busy") from None
    if out.decode().splitlines() != [SCRIPT.answer] * len(PROMPTS):
        said = "\n".join(f"    {line}" for line in err.decode().splitlines()[-LINES:])
        raise BackendsError(f"{agent} did not get its answers:\n{said}", "see whether the SDK or the proxy has changed")


def expected(agent: AgentCommand, trace_id: str) -> Seen:
    return Seen(
        trace_id=trace_id,
        is_complete=True,
        roots=1,
        models=SCRIPT.exchanges,
        tools=tuple(sorted(SCRIPT.tools)),
        input_tokens=agent.input_tokens * SCRIPT.exchanges,
        output_tokens=TOKENS.output * SCRIPT.exchanges,
        session="",
    )


async def shown_as(backend: Backend, trace_id: str, wanted: Seen) -> Seen:
    """What the backend shows of a trace once it is as ``wanted``, but for the session, which any trace must have."""
    seen: Seen | None = None
    try:
        async with asyncio.timeout(SHOWN_S):
            while True:
                with suppress(ClientError):
                    seen = await backend.seen(trace_id)
                if seen and seen.session and seen == _in_session(wanted, seen.session):
                    return seen
                await asyncio.sleep(0.5)
    except TimeoutError:
        what = f"{backend.name} shows a trace otherwise than expected:\n    {seen}\n  expected, in any session:\n    {wanted}"
        raise BackendsError(f"{what}\n{backend.end_of_log()}", _LOOK) from None


def _in_session(wanted: Seen, session: str) -> Seen:
    return Seen(**{**vars(wanted), "session": session})


def _described(seen: Seen) -> str:
    return f"{seen.models} calls of the model, {len(seen.tools)} tools, {seen.input_tokens} + {seen.output_tokens} tokens"


_LOOK = "run it again with --look and open the backend's page"

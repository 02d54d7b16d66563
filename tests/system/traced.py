"""A proxy between agents and scripted providers that exports to a receiver: what tests of traces have in common.

The agents send no trace header. Which exchanges are of one turn is known without asking the proxy: an agent notes the trace id
on every answer it gets, and a provider notes the ``traceparent`` of every request.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import httpx2
from agents.anthropic_agent import MessagesAgent
from agents.gemini_agent import GeminiAgent
from agents.openai_agent import ChatAgent
from agents.responses_agent import Memory, ResponsesAgent
from anthropic import AsyncAnthropic
from google import genai
from google.genai import types
from openai import AsyncOpenAI
from otlp_receiver import OtlpReceiver, Tree, otlp_receiver
from providers import IdStyle, ScriptedProvider, scripted_provider
from proxy_process import ProxyProcess, proxy_process

APIS = ("openai", "anthropic", "gemini")
PROTOCOLS = ("chat", "responses", "own_items", "messages", "gemini")
"""What an agent may speak: ``responses`` leaves the conversation to the provider, ``own_items`` repeats it in every request."""
API_OF = {"chat": "openai", "responses": "openai", "own_items": "openai", "messages": "anthropic", "gemini": "gemini"}
SHOWN_MAX = 5
"""Trees in a message."""
HEAD = """
version: 1
proxy: {{listen: 127.0.0.1:0, workers: {workers}}}
admin: {{listen: 127.0.0.1:0}}
tracing: {{exporter: otlp, endpoint: "{endpoint}", sample: 1.0}}
routes:
"""
ROUTE = """
  - name: {api}-{style}
    match: {{path: /{style}/{api}}}
    rewrite: {{prefix: /}}
    llm: {{api: {api}}}
    egress: trace
    lanes: [{{name: only, pool: {style}}}]
"""
POOL = """
  {style}: {{endpoints: ["{url}"]}}
"""


class Agent(Protocol):
    async def turn(self, prompt: str) -> str: ...


def config(endpoint: str, providers: Iterable[ScriptedProvider], workers: int) -> str:
    """A route for each provider's way to make ids and for each API."""
    named = {provider.ids.value: provider.url for provider in providers}
    routes = "".join(ROUTE.format(api=api, style=style) for style in named for api in APIS)
    pools = "".join(POOL.format(style=style, url=url) for style, url in named.items())
    return HEAD.format(workers=workers, endpoint=endpoint) + routes + "pools:\n" + pools


class SpanCount(NamedTuple):
    """Counted apart: tools that need not be seen must not stand in for legs that are still to come."""

    legs: int
    tools: int

    def is_in(self, tree: Tree) -> bool:
        tools = len(tree.of_kind("INTERNAL"))
        return len(tree.spans) - tools >= self.legs and tools >= self.tools


@dataclass
class Stage:
    proxy: ProxyProcess
    receiver: OtlpReceiver
    providers: dict[IdStyle, ScriptedProvider]

    async def trees_of(self, wanted: Mapping[str, SpanCount]) -> list[Tree]:
        """The trees of the traces in ``wanted``, in that order, once each has at least the spans that it says.

        AssertionError with those that have not.
        """

        def lacking(receiver: OtlpReceiver) -> list[Tree]:
            trees = receiver.trees()
            found = [trees.get(trace_id, Tree(trace_id, ())) for trace_id in wanted]
            return [tree for tree in found if not wanted[tree.trace_id].is_in(tree)]

        try:
            await self.receiver.wait_for(lambda receiver: not lacking(receiver))
        except AssertionError:
            short = lacking(self.receiver)
            shown = "\n".join(str(tree) for tree in short[:SHOWN_MAX])
            raise AssertionError(f"{len(short)} of {len(wanted)} traces lack spans:\n{shown}") from None
        trees = self.receiver.trees()
        return [trees[trace_id] for trace_id in wanted]


@asynccontextmanager
async def stage(folder: Path, *styles: IdStyle, workers: int = 2) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(otlp_receiver())
        providers = {style: await stack.enter_async_context(scripted_provider(ids=style)) for style in styles}
        text = config(receiver.endpoint, providers.values(), workers)
        yield Stage(await stack.enter_async_context(proxy_process(text, folder)), receiver, providers)


@dataclass
class Clients:
    """SDK clients of one agent. ``note`` is called with the trace id on every answer that a client gets.

    Unless ``keep`` is set every request has a connection of its own, so that any worker may get it.
    """

    url: str
    key: str
    keep: bool
    note: Callable[[str], None]
    _http: httpx2.AsyncClient = field(init=False)
    _gemini: dict[str, genai.Client] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = httpx2.Limits(max_keepalive_connections=None if self.keep else 0)
        # No TLS here, and loading the system's certificates takes longer than a run.
        self._http = httpx2.AsyncClient(limits=limits, timeout=60, verify=False, event_hooks={"response": [self._heard]})

    async def _heard(self, response: httpx2.Response) -> None:
        self.note(response.headers["x-trace-id-ext"])

    def agent(self, protocol: str, style: IdStyle, *, stream: bool) -> Agent:
        """A new conversation."""
        base_url = f"{self.url}/{style}/{API_OF[protocol]}"
        match protocol:
            case "messages":
                anthropic = AsyncAnthropic(base_url=base_url, api_key=self.key, max_retries=0, http_client=self._http)
                return MessagesAgent(anthropic, stream=stream)
            case "gemini":
                if base_url not in self._gemini:
                    options = types.HttpOptions(base_url=base_url, httpx_async_client=self._http)
                    self._gemini[base_url] = genai.Client(api_key=self.key, http_options=options)
                return GeminiAgent(self._gemini[base_url].aio, stream=stream)
        openai = AsyncOpenAI(base_url=f"{base_url}/v1", api_key=self.key, max_retries=0, http_client=self._http)
        if protocol == "chat":
            return ChatAgent(openai, stream=stream)
        memory = Memory.OWN if protocol == "own_items" else Memory.PREVIOUS_RESPONSE
        return ResponsesAgent(openai, stream=stream, memory=memory)

    async def close(self) -> None:
        await self._http.aclose()


@asynccontextmanager
async def clients(url: str, note: Callable[[str], None], *, key: str = "any", keep: bool = False) -> AsyncIterator[Clients]:
    made = Clients(url, key, keep, note)
    try:
        yield made
    finally:
        await made.close()

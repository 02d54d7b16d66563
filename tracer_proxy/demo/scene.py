"""Everything that runs in the demo: the proxy with its mock LLM, two versions of the agent, and a client to call them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any

import aiohttp

from tracer_proxy import limits
from tracer_proxy.demo import agent, proxy
from tracer_proxy.demo.agent import Agent
from tracer_proxy.demo.ports import HOST, free_or_any, listener, port_of
from tracer_proxy.demo.proxy import RunningProxy
from tracer_proxy.demo.split import Lane, read_lanes

_PROXY_PORTS = {"DEMO_PROXY_PORT": 8080, "DEMO_ADMIN_PORT": 8081, "DEMO_MOCK_PORT": 8082}
_AGENT_PORTS = {"DEMO_PLANNER_V1_PORT": 7001, "DEMO_PLANNER_V2_PORT": 7002}
PORTS = _PROXY_PORTS | _AGENT_PORTS
"""The variables of ``config.yaml``, each with the port that the file names as well."""
MODELS = {"v1": "gpt-4o-mini", "v2": "gpt-4o"}
"""The agent's versions; the second tries another model."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What runs. ``agent_urls`` and ``agents`` are by version."""

    proxy: RunningProxy
    agents: Mapping[str, Agent]
    agent_urls: Mapping[str, str]
    client: aiohttp.ClientSession
    environ: Mapping[str, str]
    """Variables that ``config.yaml`` needs to name the agents' ports; empty when they are the usual ones."""

    async def lanes(self) -> list[Lane]:
        """Of the agents' route, as the proxy lists them."""
        versions = {url: version for version, url in self.agent_urls.items()}
        return read_lanes(await self._get("/api/routes"), "planner", versions)

    async def proxy_errors(self) -> dict[str, int]:
        """What the proxy has counted, by kind."""
        errors: dict[str, int] = (await self._get("/api/status"))["errors"]
        return errors

    async def _get(self, path: str) -> Any:
        async with self.client.get(self.proxy.admin_url + path) as response:
            response.raise_for_status()
            return await response.json()


@asynccontextmanager
async def running() -> AsyncIterator[Scene]:
    """Runs it until the block ends. Raises ``DemoError``."""
    timeout = aiohttp.ClientTimeout(total=limits.DEMO_REQUEST_S)
    v1_port, v2_port = _AGENT_PORTS.values()
    with closing(listener(v1_port)) as v1_listener, closing(listener(v2_port)) as v2_listener:
        agent_ports = dict(zip(_AGENT_PORTS, map(port_of, (v1_listener, v2_listener)), strict=True))
        usual = {name: free_or_any(port) for name, port in _PROXY_PORTS.items()}
        async with (
            proxy.running(_environ(agent_ports | usual), _environ(agent_ports | dict.fromkeys(usual, 0))) as running_proxy,
            agent.serving("v1", MODELS["v1"], f"{running_proxy.url}/openai/v1", v1_listener) as v1,
            agent.serving("v2", MODELS["v2"], f"{running_proxy.url}/openai/v1", v2_listener) as v2,
            aiohttp.ClientSession(timeout=timeout) as client,
        ):
            urls = {version: f"http://{HOST}:{port}" for version, port in zip(MODELS, agent_ports.values(), strict=True)}
            moved = {name: port for name, port in agent_ports.items() if port != PORTS[name]}
            yield Scene(running_proxy, {"v1": v1, "v2": v2}, urls, client, _environ(moved))


def _environ(ports: Mapping[str, int]) -> dict[str, str]:
    return {name: str(port) for name, port in ports.items()}

"""Proxies that do a part of the job only: one upstream, no lanes, no sessions. They are told apart in the table by their names.

They are installed by ``make bench-peers``: Caddy from the packages of the system, the others into ``.bench/``.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from bench.peers import HERE, Addresses, Peer, find, version_said

PRIVATE = HERE.parent / ".bench"
INSTALL = "make bench-peers"
SLOW_S = 6
"""Enough for those that answer a few hundred requests a second."""

_CHAT = {"BENCH_PATH": "/v1/chat/completions"}


def gateways() -> list[Peer]:
    node = shutil.which("node")
    portkey = PRIVATE / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    return [
        _peer("caddy", find("caddy"), _caddy, version_said("version")),
        _peer("mitmproxy", _private("mitmproxy", "mitmdump"), _mitmproxy, version_said("--version")),
        _peer("litellm", _private("litellm", "litellm"), _litellm, version_said("--version"), lambda _: dict(_CHAT)),
        _peer("portkey", node if portkey.exists() else None, _portkey, lambda _: _npm_version(portkey), _portkey_load),
    ]


def _peer(
    name: str,
    program: str | None,
    command: Callable[[str, Addresses, Path], list[str]],
    version: Callable[[str], str],
    load: Callable[[Addresses], dict[str, str]] = lambda _: {},
) -> Peer:
    seconds = 0 if name == "caddy" else SLOW_S
    return Peer(name, program, INSTALL, command, version, seconds=seconds, does_lanes=False, load=load)


def _private(folder: str, program: str) -> str | None:
    path = PRIVATE / folder / "bin" / program
    return str(path) if path.exists() else None


def _npm_version(program: Path) -> str:
    return str(json.loads((program.parents[1] / "package.json").read_text())["version"])


def _caddy(program: str, addresses: Addresses, _folder: Path) -> list[str]:
    return [program, "run", "--config", str(HERE / "Caddyfile"), "--adapter", "caddyfile"]


def _mitmproxy(program: str, addresses: Addresses, folder: Path) -> list[str]:
    host, _, port = addresses["BENCH_LISTEN"].rpartition(":")
    mode = f"reverse:http://{addresses['BENCH_STABLE']}"
    listen = ["--listen-host", host, "--listen-port", port, "--set", f"confdir={folder}"]
    return [program, "--quiet", "--mode", mode, *listen]


def _litellm(program: str, addresses: Addresses, folder: Path) -> list[str]:
    config = folder / "litellm.yaml"
    config.write_text((HERE / "litellm.yaml").read_text().replace("${BENCH_STABLE}", addresses["BENCH_STABLE"]))
    host, _, port = addresses["BENCH_LISTEN"].rpartition(":")
    return [program, "--config", str(config), "--host", host, "--port", port, "--num_workers", "1"]


def _portkey(program: str, addresses: Addresses, _folder: Path) -> list[str]:
    server = PRIVATE / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    return [program, str(server), f"--port={addresses['BENCH_LISTEN'].rpartition(':')[2]}", "--headless"]


def _portkey_load(addresses: Addresses) -> dict[str, str]:
    host = f"x-portkey-custom-host: http://{addresses['BENCH_STABLE']}/v1"
    return {**_CHAT, "BENCH_EXTRA": f"x-portkey-provider: openai;{host}"}

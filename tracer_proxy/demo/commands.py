"""Commands to try, with the addresses that are real and the name under which the reader reached this one."""

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tracer_proxy.demo.caller import PATH
from tracer_proxy.demo.proxy import CONFIG


@dataclass(frozen=True, slots=True)
class Suggestion:
    what: str
    command: str


def suggestions(proxy_url: str, admin_url: str, mock_url: str, environ: Mapping[str, str], *, kept: bool) -> list[Suggestion]:
    """``environ`` is what the config file needs to name the ports in use; ``kept`` says that everything still runs."""
    variables = "".join(f"{name}={value} " for name, value in environ.items())
    explain = f"{variables}{own_command()} explain --config {_shown(str(CONFIG))} -H 'x-session-id: alice' {PATH}"
    keep = Suggestion("the commands below need everything running, so leave it:", f"{own_command()} demo --keep")
    return [
        Suggestion("where a request would go, and why; needs nothing running", explain),
        *([] if kept else [keep]),
        Suggestion(
            "a turn by hand: look for x-trace-id-ext and x-agent-version",
            f"curl -i {proxy_url}{PATH} -H 'x-session-id: alice' -d 'What to wear in Oslo?'",
        ),
        Suggestion("the same on the canary", f"curl -i {proxy_url}{PATH} -H 'x-canary: 1' -d 'What to wear in Oslo?'"),
        Suggestion(
            "its trace id again, on what reached the mock LLM last",
            f'curl -s {mock_url}/__mock__/calls | grep -o \'"traceparent":"[^"]*"\' | tail -n 2',
        ),
        Suggestion("routes, lanes and weights", f"curl -s {admin_url}/api/routes"),
        Suggestion(
            "your own agent through the proxy, with the mock as its model",
            f"OPENAI_BASE_URL={proxy_url}/openai/v1 OPENAI_API_KEY=any python your_agent.py",
        ),
    ]


def own_command(argv: Sequence[str] | None = None) -> str:
    """How to call ``tracer-proxy`` again from here."""
    called = Path((argv or sys.argv)[0])
    if called.name != "tracer-proxy":
        return f"{_shown(sys.executable)} -m tracer_proxy"
    found = shutil.which("tracer-proxy")
    if found is not None and Path(found).resolve() == called.resolve():
        return "tracer-proxy"
    return _shown(str(called))


def _shown(path: str) -> str:
    """Relative if it is below the current folder, and quoted if it must be."""
    full, here = Path(path).absolute(), Path.cwd()
    return shlex.quote(str(full.relative_to(here) if full.is_relative_to(here) else full))

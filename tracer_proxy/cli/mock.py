"""``tracer-proxy mock``: the stand-ins on their own, until Ctrl-C."""

import asyncio
import re
import signal

import click
import uvloop

from tracer_proxy.mocks import llm

_UNIT_S = {"ms": 0.001, "s": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")


class _Duration(click.ParamType[float]):
    """A time such as 20ms or 1.5s, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = _DURATION.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no duration: expected a number with its unit, such as 20ms or 1.5s.", param, ctx)
        return float(found[1]) * _UNIT_S[found[2]]


@click.group(name="mock")
def command() -> None:
    """Run a stand-in on its own."""


@command.command(name="llm")
@click.option(
    "--listen", default="127.0.0.1:8082", show_default=True, help="host:port (port 0 picks a free one) or unix:/path."
)
@click.option(
    "--token-interval", type=_Duration(), default="0ms", show_default=True, help="Pause between the events of a stream."
)
@click.option("--api-key", "api_keys", multiple=True, help="A key it answers to, repeatable; without, it answers everybody.")
@click.option("--strict-models", is_flag=True, help="Refuse models that its lists of models do not have.")
def llm_command(listen: str, token_interval: float, api_keys: tuple[str, ...], strict_models: bool) -> None:
    """A model endpoint that is free, offline and deterministic; stop it with Ctrl-C."""
    try:
        settings = llm.Settings(token_interval_s=token_interval, api_keys=api_keys, strict_models=strict_models)
        uvloop.run(_run_llm(listen, settings))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--listen") from None
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {listen}: {error.strerror or error}. Choose another address with --listen."
        ) from None


async def _run_llm(listen: str, settings: llm.Settings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    running = await llm.serve(listen, settings)
    click.echo(_greeting(running.address))
    await stopped.wait()
    await running.stop()


def _greeting(address: str) -> str:
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        return f"mock LLM on {address}, for example: curl --unix-socket {path} http://mock/v1/models"
    url = f"http://{address}"
    return f"mock LLM on {url}, for example: OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY=any python your_agent.py"

"""``tracer-proxy demo``: the whole loop on this machine, offline, in a few seconds."""

import asyncio
import signal

import aiohttp
import click
import uvloop

from tracer_proxy import limits
from tracer_proxy.demo.evidence import said
from tracer_proxy.demo.proxy import DemoError
from tracer_proxy.demo.report import Report
from tracer_proxy.demo.tour import Plan, tour

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALLED = 128
"""Added to a signal's number it is the exit code of a command that the signal ended."""


@click.command(name="demo")
@click.option(
    "--sessions",
    type=click.IntRange(1, limits.DEMO_SESSIONS_MAX),
    default=200,
    show_default=True,
    help="How many sessions to drive.",
)
@click.option(
    "--turns", type=click.IntRange(1, limits.DEMO_TURNS_MAX), default=3, show_default=True, help="Turns of each session."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the sessions' names, hence of who gets the canary.")
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C.")
def command(sessions: int, turns: int, seed: int, keep: bool) -> None:
    """Show the whole loop offline: two versions of an agent, a canary split, a mock LLM, and one trace through all of it.

    Uses ports 8080 to 8082, 7001 and 7002 on loopback, or others where these are taken. Exits with 0 if everything was as it
    must be: no session saw two versions, each turn was one trace, nothing failed.
    """
    raise SystemExit(uvloop.run(_run(Plan(sessions, turns, seed), keep)))


async def _run(plan: Plan, keep: bool) -> int:
    """The exit code. A signal ends the tour, and with it everything that it has started; quietly."""
    going = asyncio.ensure_future(tour(plan, keep, Report()))
    received: list[int] = []

    def on_signal(number: int) -> None:
        received.append(number)
        going.cancel()

    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            continue  # as nohup wants it
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    try:
        return 0 if await going else 1
    except asyncio.CancelledError:
        return _SIGNALLED + received[0]
    except (DemoError, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise click.ClickException(f"The demo broke off: {said(error)}") from None

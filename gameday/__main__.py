"""``python -m gameday``: exit code 1 when anything ended other than it should."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

import uvloop

from gameday.ending import complaints, words
from gameday.lanes import BAD, BASELINE, ERRORS_6, Lane
from gameday.live import play
from gameday.report import Report, Row
from gameday.scenarios import HOLD_S, MEANT_HOLD_S, SCENARIOS, Scenario
from gameday.simulation import EXCHANGES, STEPS, Ended, Setting, simulate
from soak.processes import SoakError
from tracer_proxy.rollout.course import Status

ROLLOUTS = 200
FALSE_ALARMS_MAX = 2
CAUGHT_MIN = 195


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gameday", description="Good and bad canaries, and what becomes of them.")
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", metavar="NAME", action="append", choices=names, help=f"play just that: {', '.join(names)}")
    parser.add_argument("--seed", type=int, default=1, help="of the dice of agents, sessions and simulated lanes (1)")
    parser.add_argument("--live-only", action="store_true", help="without the simulation")
    parser.add_argument("--simulation-only", action="store_true", help="without the proxy and its agents")
    options = parser.parse_args(argv)
    if options.simulation_only and (options.live_only or options.only):
        parser.error("--simulation-only goes with neither --live-only nor --only")
    options.live_only = options.live_only or bool(options.only)
    return options


async def play_live(scenarios: Sequence[Scenario], seed: int, report: Report) -> list[Row]:
    """One after the other: they would take each other's time."""
    rows: list[Row] = []
    for scenario in scenarios:
        report.heading(scenario.name, scenario.told)
        report.say(f"expected: {words(scenario.expected)}; {scenario.rate:g} requests per second")
        with report.playing() as tell:
            ending = await play(scenario, seed, tell)
        wrong = list(complaints(scenario, ending))
        report.ended(scenario, ending, wrong)
        ended = words(ending.status), f"after {ending.after_s:.1f} s, at step {ending.shown['step']}"
        rows.append((not wrong, scenario.name, words(scenario.expected), *ended))
    return rows


def false_alarms(ended: Sequence[Ended]) -> tuple[bool, str, str]:
    back = sum(each.status is Status.ROLLED_BACK for each in ended)
    promoted = sum(each.status is Status.PROMOTED for each in ended)
    held = len(ended) - back - promoted
    return back <= FALSE_ALARMS_MAX, f"{back} rolled back", f"{promoted} promoted, {held} held"


def caught(ended: Sequence[Ended]) -> tuple[bool, str, str]:
    """In time: within as many exchanges as the steps of a rollout have together."""
    needed = sorted(each.exchanges for each in ended if each.status is Status.ROLLED_BACK)
    in_time = sum(exchanges <= len(STEPS) * EXCHANGES for exchanges in needed)
    promoted = sum(each.status is Status.PROMOTED for each in ended)
    half = f", half of them within {needed[len(needed) // 2]} exchanges" if needed else ""
    return in_time >= CAUGHT_MIN and not promoted, f"{in_time} caught", f"{promoted} promoted{half}"


Judged = Callable[[Sequence[Ended]], tuple[bool, str, str]]
SIMULATED: Sequence[tuple[str, Lane, str, Judged]] = (
    ("healthy", BASELINE, f"at most {FALSE_ALARMS_MAX} rolled back", false_alarms),
    ("with 6 % errors", BAD[ERRORS_6], f"at least {CAUGHT_MIN} caught", caught),
)


def play_simulated(seed: int, report: Report) -> list[Row]:
    report.heading("simulation", f"the real course and judge, {EXCHANGES} exchanges per lane and step, a clock turned by hand")
    report.say(f"baselines have {100 * BASELINE.errors:g} % errors")
    rows: list[Row] = []
    for what, lane, expected, judged in SIMULATED:
        ended = []
        with report.progress(f"canaries {what}", ROLLOUTS) as advance:
            for each in simulate(lane, ROLLOUTS, Setting(), seed * ROLLOUTS):
                ended.append(each)
                advance()
        good, told, note = judged(ended)
        report.said(good, f"{ROLLOUTS} canaries, {what}", f"{told}, {note}")
        rows.append((good, f"{ROLLOUTS} {what}", expected, told, note))
    return rows


def main(argv: Sequence[str]) -> int:
    options = arguments(argv)
    report = Report()
    try:
        rows: list[Row] = []
        if not options.simulation_only:
            report.say(f"Time runs {MEANT_HOLD_S / HOLD_S:g} times as fast: a step of five minutes is held for {HOLD_S:g} s.")
            chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.name in options.only]
            rows += uvloop.run(play_live(chosen, options.seed, report))
        if not options.live_only:
            rows += play_simulated(options.seed, report)
    except SoakError as error:
        print(f"gameday: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gameday: stopped", file=sys.stderr)
        return 130
    report.summary(rows)
    return 0 if all(row[0] for row in rows) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end the children as Ctrl-C does
    sys.exit(main(sys.argv[1:]))

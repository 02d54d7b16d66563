"""A game day: canaries that are good or bad in a known way, and what becomes of them: ``python -m gameday``.

Live, a real proxy judges real agents under load, with minutes made to seconds; simulated, the real course and judge are driven
by a clock that is turned by hand, hundreds of times. Leaves: a verdict for each, and an exit code. Nothing here is imported by
the package.

    scenarios.py    what is played, and how it has to end
    agent.py        the agents, good and bad
    callers.py      who calls them, at a steady rate; ledger.py is what they saw
    live.py         one scenario from start to end
    ending.py       how it ended, and whether that is as it should be
    lanes.py, simulation.py     the same without sockets, in numbers
    report.py       how it is told
"""

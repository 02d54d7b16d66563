"""Is the canary good: a rollout's plan, its judge, and the verdict with its evidence.

Enters: the plan from the config, what lanes have to show (``telemetry.evidence``), and what time it is. Leaves: the next state
of the rollout and the weights that follow from it. Never: I/O, a clock, dice, YAML.
"""

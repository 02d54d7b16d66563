"""Where it should go: match, session key, colour, lane, pool, endpoint.

Enters: a request head, its trace context and whether its sender is trusted. Leaves: a ``Decision`` with its reasons. A
``Table`` is frozen when it is built and swapped whole; dice are an argument. Never: I/O, a clock, YAML.
"""

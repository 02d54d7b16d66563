"""What is counted, how it gets from the workers to control, and how it is shown.

    catalogue    every metric: its name, its labels, what it says
    collected    histograms, and what meters hand over
    meters       what a worker counts for its lanes, endpoints and itself, as plain numbers
    http_meters  and by OpenTelemetry's conventions: HTTP,
    gen_ai_meter model calls
    deltas       what has changed since control last confirmed: a worker's side
    totals       what all workers together have counted: control's side
    evidence     what lanes have to show that a rollout judges;
                 ``turns`` adds tokens up over the calls of a turn, ``gathered`` is control's side of both
    exposition   the totals as Prometheus text
    record       what is known of one exchange when it has ended
    reference    the page ``docs/metrics.md``

    record       what a worker knows of an exchange that has ended
    exchange_log     its line of the log; ``exchange_detail`` what the admin API shows of it, ``redaction`` what neither shows
    branches     how a tree is drawn

Enters: numbers and names of the config. Leaves: deltas and dumps that fit into JSON, and text. Never: I/O, a clock, a secret
as a label; and nothing that a caller sends makes the number of series grow without bound.
"""

"""Which exchanges belong together, for agents that forward nothing: found by the ids that the protocols themselves carry.

    entropy      whether an id is unique by itself
    keys         the keyed digests that everything is remembered under
    memory       what is remembered, and what a memory must do
    turn         what an exchange is part of, and what a search for that found
    stitcher     joins the steps of a turn: response ids, conversations, tool calls
    pending      joins a tool server's exchange to the call that a model handed out
    runs         joins what names its run in the path
    colors       the colour of a trace or a session, for exchanges that come without

Enters: what requests and answers say (``Asked``, ``Answered``), and the time. Leaves: the trace, parent, session and colour to
carry on, links, and tool runs inferred. Never: I/O, a clock, an id or a text kept as it is; and no guess: what fits two traces
is joined to none.
"""

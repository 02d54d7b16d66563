"""The offline tour behind ``tracer-proxy demo``: a real proxy, two versions of an agent, many sessions, and what was seen.

Leaves: processes and servers on loopback, which end with the demo, and a report. Everything reported was read on the wire by
one of those who took part: the caller, the agents, the mock LLM. Never: a look into the proxy's memory, or a made-up number.

    tour.py       from start to end
    scene.py      what runs; ports.py on which ports
    proxy.py      ``tracer-proxy run`` on ``config.yaml``, as a process of its own
    agent.py      the agent: a loop around a model that may call a tool; it notes what it got and did
    caller.py     the sessions, several at once
    journal.py    what the mock LLM saw
    evidence.py   the notes of all three, by trace
    split.py, findings.py, tree.py    what follows from the notes
    report.py, commands.py            how it is told
"""

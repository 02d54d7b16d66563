"""tracer-proxy: a trace-colouring sidecar proxy for LLM agents.

The folders below are the architecture; each says in its own docstring what it knows and what it must never do.
Read ``dataplane/exchange.py`` first: it is the life of a request, from top to bottom.
"""

__version__ = "0.1.0"

"""The hot path: moves bytes between a client and an endpoint, and knows frozen tables only.

``exchange.py`` is the life of a request, in order. Enters: sockets and a ``Table``. Leaves: bytes, forwarded before they are
looked at twice. Never: YAML, a blocking call, an await while bytes could move, an object per chunk.
"""

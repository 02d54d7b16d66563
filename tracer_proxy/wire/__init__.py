"""What the bytes say: HTTP/1.1 heads, bodies and upgrades, as RFC 9110 and 9112 ask of an intermediary.

Enters: bytes as they came from a socket, cut anywhere. Leaves: heads, body bytes, or a ``ProxyError`` of kind
``MALFORMED``, ``HEAD_TOO_LARGE`` or ``UPSTREAM_BROKEN``. Strict on purpose: what two parsers could read in two ways is
refused, so nothing ambiguous reaches an upstream. Never: a socket, a clock, a guess.
"""

"""A request that nobody sends: what ``explain`` is asked about, on the command line and over the admin API."""

import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tracer_proxy.genai.json_body import JsonBody
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.explain import THE_FILES, Explanation, Weights, explain
from tracer_proxy.routing.table import Table
from tracer_proxy.wire.request import RequestHead, read_request


class WrongQuestion(ValueError):
    """One sentence that says which part of it is wrong."""


@dataclass(frozen=True)
class Question:
    url: str
    """A path or a whole http URL."""
    method: str | None = None
    """GET when left out, or POST when there is a body."""
    headers: Sequence[str] = ()
    """Lines, ``name: value``."""
    body: str | None = None
    peer: str = "127.0.0.1"
    """The caller's address, which decides on trust."""

    def head(self, table: Table) -> RequestHead:
        """As a client would send it. Raises ``WrongQuestion``, and ``ProxyError`` for what the proxy would refuse."""
        return read_request(self._head_bytes(), table.request_fields)

    def explained(self, table: Table, head: RequestHead, weights: Weights = THE_FILES) -> Explanation:
        """``weights`` as for ``explain``. Raises ``WrongQuestion``."""
        try:
            trusted = table.trust.believes(self.peer)
        except ValueError:
            raise WrongQuestion(f"from: {self.peer!r} is not an IP address.") from None
        asking = Asking(head, peer=self.peer.encode())
        asking.now = time.time()  # noqa: TID251 — rules may ask for the time of day
        asking.body = JsonBody(self.body.encode()) if self.body is not None else None
        trace_id = secrets.token_hex(16).encode()
        return explain(table, asking, trusted=trusted, new_trace_id=trace_id, dice=random.random, weights=weights)

    def _head_bytes(self) -> bytes:
        parts = urlsplit(self.url)
        if not self.url.startswith("/") and parts.scheme not in ("http", "https"):
            raise WrongQuestion(f"url: {self.url!r} must start with / or http://; did you mean /{self.url.lstrip('/')}?")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        names = {header.partition(":")[0].strip().lower() for header in self.headers}
        lines = [f"{self.method or ('GET' if self.body is None else 'POST')} {target} HTTP/1.1"]
        if "host" not in names:
            lines.append(f"Host: {parts.netloc or 'localhost'}")
        lines += [header.strip() for header in self.headers]
        if self.body is not None and "content-length" not in names:
            lines.append(f"Content-Length: {len(self.body.encode())}")
        return "\r\n".join(lines).encode()

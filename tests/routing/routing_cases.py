"""Small pieces of routing tables, and request heads as a table reads them."""

from collections.abc import Iterable, Sequence

from tracer_proxy.config.compile import compile_table
from tracer_proxy.config.load import load_text
from tracer_proxy.context.color import inbound_color
from tracer_proxy.context.inject import Injector
from tracer_proxy.context.trace import extract, new_trace
from tracer_proxy.context.trust import Trust
from tracer_proxy.genai.json_body import JsonBody
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.balance import BALANCES
from tracer_proxy.routing.color import ColorRule
from tracer_proxy.routing.decision import Decision, decide
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.lane import Lane, Split
from tracer_proxy.routing.pool import Pool
from tracer_proxy.routing.route import Match, Route
from tracer_proxy.routing.session import TraceRung
from tracer_proxy.routing.table import Table
from tracer_proxy.wire.request import RequestHead, read_request

TRACE_ID = b"0af7651916cd43dd8448eb211c80319c"


def pool(size: int = 1, balance: str = "round_robin") -> Pool:
    return Pool("pool", [Endpoint("127.0.0.1", 7001 + index) for index in range(size)], BALANCES[balance](), idle_s=1)


def lane(name: str, weight: float, colors: Sequence[str] = ()) -> Lane:
    return Lane(name, pool(), weight, colors=colors)


def split(*weights: float, baseline: int = 0) -> Split:
    """Lanes ``0``, ``1`` ... with these weights."""
    lanes = [lane(str(index), weight) for index, weight in enumerate(weights)]
    return Split(lanes, lanes[baseline])


def route(name: str, match: Match) -> Route:
    return Route(name, match, split(1), [TraceRung()])


def table(routes: Sequence[Route], *, color_rules: Sequence[ColorRule] = (), watched: Iterable[bytes] = ()) -> Table:
    return Table(
        routes,
        color_rules=color_rules,
        watched=watched,
        injector=Injector(["tracecontext"]),
        sample_threshold=0,
        trust=Trust(["loopback"]),
    )


def table_of(config: str) -> Table:
    """A table by YAML."""
    return compile_table(load_text(config, "test.yaml", {}), "127.0.0.1:8082")


def head_for(reader: Table, target: str = "/", *headers: str, method: str = "GET", host: str = "test") -> RequestHead:
    """A head as ``reader`` sees it: with the headers that its rules look at."""
    raw = "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {host}", *headers))
    return read_request(raw.encode(), reader.request_fields)


def decided(by: Table, target: str = "/", *headers: str, body: bytes | None = None) -> Decision:
    """What is decided for a trusted caller; with a body, one that was read."""
    head = head_for(by, target, *headers)
    values = head.fields.values
    asking = Asking(head, baggage=values.get(b"baggage", b""))
    asking.body = JsonBody(body) if body is not None else None
    found = by.find(asking)
    assert found is not None
    context = extract(values) or new_trace(TRACE_ID)
    return decide(by, found, asking, context, inbound_color(values))

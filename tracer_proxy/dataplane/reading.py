"""Whether what passes is read, and as what: decided once for all requests with the same head."""

from tracer_proxy.dataplane.model_witness import ModelReading
from tracer_proxy.dataplane.plain_witness import PlainReading
from tracer_proxy.dataplane.rpc_witness import RpcReading
from tracer_proxy.dataplane.witness import Reading
from tracer_proxy.genai.requests import operation_of
from tracer_proxy.routing.route import Route
from tracer_proxy.wire.request import RequestHead


def reading_of(route: Route | None, head: RequestHead) -> Reading | None:
    if route is None:
        return None
    if route.is_read and head.method == b"POST":
        if route.rpc:
            return RpcReading(route)
        path = route.path_out(head.path)
        kind = operation_of(route.llm_api, path)
        if kind is not None:
            return ModelReading(route, path, *kind)
    return PlainReading(route) if route.judged is not None and route.judged.confidence_pointer else None

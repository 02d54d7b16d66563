"""Where spans go: from records, in a thread of control's, by the official SDK's exporters.

    exporting        the queue, the batches, the repetitions, what is dropped (``Exporting``)
    sinks            which exporter a config asks for
    environment      what the config leaves to OTEL_* variables
    sdk_spans        spans as the SDK's objects, and the resource they are of
    collector        HTTP to a collector: one try, and what came of it
    not_taken        what a collector did not take
    otlp             OTLP over HTTP, also to Jaeger
    otlp_encoding    its protobuf
    jaeger_thrift    Jaeger's old protocol, with the extra ``jaeger-thrift``
    console          a tree on stderr

Enters: records and the config's ``tracing``. Leaves: spans, and numbers of them. Never: a wait or an exception for whoever
offers a record.
"""

from tracer_proxy.control.export.exporting import Exporting
from tracer_proxy.control.export.sinks import complaint

__all__ = ["Exporting", "complaint"]

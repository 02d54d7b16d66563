"""What a request to a model says, read from its path and its body.

    endpoint              which of the providers' endpoints a path names, and for which model (``operation_of``)
    provider              who serves the model (``provider_name``)
    read                  picks the reader for an endpoint (``read_request``)
    openai_chat           chat completions, and the completions before them
    openai_responses      Responses
    openai_embeddings     embeddings
    anthropic_messages    Messages
    gemini                generateContent and embedContent, by either of Google's hosts
    echoes                results and calls that a conversation repeats, and the digests by which they are known again
    said                  what of a message counts for those digests
    parameters            fields of a body as the conventions' attributes
    sessions              what a body calls the session
    content               messages in the conventions' shape, for those who capture content; their parts in ``content_parts``
    json_values           JSON, one level at a time

Enters: a path and a body, whole and decompressed. Leaves: ``Asked``, or ``None`` where there is nothing to read. Never: an
exception, whatever the bytes; a change of what is sent.
"""

from tracer_proxy.genai.requests.endpoint import operation_of
from tracer_proxy.genai.requests.provider import provider_name
from tracer_proxy.genai.requests.read import read_request

__all__ = ["operation_of", "provider_name", "read_request"]

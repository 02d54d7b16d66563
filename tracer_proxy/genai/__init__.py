"""What a model, a tool or an agent was asked and what it said, read beside the traffic.

    asked        what a request to a model says, and what it repeats of earlier answers (``Asked``), read by ``requests``
    answered     what an answer of a model says, whole or as a stream (``Answered``), read by ``answers``
    anchor       digests by which a tool call is known again when its id is not unique
    rpc          what an MCP or A2A exchange says (``RpcAsked``, ``RpcAnswered``), read by ``rpc_requests`` and ``rpc_answers``,
                 named in spans by ``rpc_names``; ``rpc_meta`` makes a copy of an MCP request with our trace context in it
    sse          server-sent events, taken from a stream as its bytes come
    json_array   the same for a stream that is one JSON array
    pointed      a number in an answer, at a JSON pointer
    decoding     content encodings, taken off within bounds

Enters: paths and bodies as bytes, within bounds. Leaves: the records above. Never: I/O, a clock, an exception for bytes that
are not what they should be; a reader gives up quietly, and nothing it sees is ever changed.
"""

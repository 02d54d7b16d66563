"""What a model was asked and what it said, read beside the traffic.

    asked        what a request says of itself, and what it repeats of earlier answers (``Asked``)
    answered     what an answer says, whole or as a stream (``Answered``)
    rpc          what an MCP or A2A exchange says (``RpcAsked``, ``RpcAnswered``), read by ``rpc_requests`` and ``rpc_answers``,
                 named in spans by ``rpc_names``; ``rpc_meta`` makes a copy of an MCP request with our trace context in it

Enters: paths and bodies as bytes, within bounds. Leaves: the records above. Never: I/O, a clock, an exception for bytes that
are not what they should be; a reader gives up quietly, and nothing it sees is ever changed.
"""

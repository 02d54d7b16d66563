"""What a model was asked and what it said, read beside the traffic.

    asked        what a request says of itself, and what it repeats of earlier answers (``Asked``)
    answered     what an answer says, whole or as a stream (``Answered``)
    answers      reads ``Answered`` out of each wire format
    sse          server-sent events, taken from a stream as its bytes come
    json_array   the same for a stream that is one JSON array
    decoding     content encodings, taken off within bounds

Enters: paths and bodies as bytes, within bounds. Leaves: the two records above. Never: I/O, a clock, an exception for bytes
that are not what they should be; a reader gives up quietly, and nothing it sees is ever changed.
"""

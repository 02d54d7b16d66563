"""Who is asking: W3C Trace Context and baggage, B3, ``x-trace-id-ext``, and the colour a trace carries.

Enters: header values as bytes, keyed by lower-case name. Leaves: a ``TraceContext``, a colour, and the one coherent block
of headers for the next hop. Readers never raise: a value that breaks its specification is as good as absent. Never: a
random number or a clock (ids are arguments), and never a value that was not checked.
"""

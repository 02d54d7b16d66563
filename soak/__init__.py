"""Hours of an agent's life in minutes: a proxy as a process, an upstream and clients that check every byte.

    reloads    streams, WebSockets and kept connections while the config changes and control is killed
    mixed      all that traffic can be, with faults at a known rate: nothing else may fail, nothing may grow

The load side shares nothing with the proxy: it has its own sockets and its own idea of HTTP.
"""

"""Compare this proxy with nginx, HAProxy and a plain aiohttp reverse proxy in one run: ``python -m bench``.

Knows how each proxy is set up for the same job, how to load it and how to read its cost from ``/proc`` (Linux only).
Method and results are in ``docs/benchmarks.md``. Nothing here is imported by the package.
"""

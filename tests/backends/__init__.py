"""What real tracing backends make of the proxy's spans: ``make test-backends``.

Phoenix and MLflow each live in an environment of their own under ``.backends``. Agents on official SDKs, unchanged but for the
base URL, go through ``tracer-proxy run`` to a scripted provider; then each backend is asked what it has seen.
"""

"""``python -m tracer_proxy`` is ``tracer-proxy``."""

from tracer_proxy.cli import main

if __name__ == "__main__":
    main(prog_name="tracer-proxy")

"""A run's id in front of the path: ``/~/RUN/openai/v1/...`` is the path ``/openai/v1/...`` within the run ``RUN``.

Whoever starts an agent can so put all of its calls into one trace, by nothing but a base URL.
"""

import re

_match_run = re.compile(rb"/~/([A-Za-z0-9._-]{1,128})(/.*)").fullmatch


def split_run(path: bytes) -> tuple[bytes, bytes]:
    """The run, and the path that routes see. Without a valid run the path stays as it is, and the run is empty."""
    match = _match_run(path) if path.startswith(b"/~/") else None
    return (match[1], match[2]) if match else (b"", path)

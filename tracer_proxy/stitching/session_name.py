"""The name of a session as it is remembered: short, and different for different sessions."""

from hashlib import blake2b

from tracer_proxy.limits import STITCH_SESSION_BYTES_MAX

_DIGEST_BYTES = 16
_BEGINNING_BYTES = STITCH_SESSION_BYTES_MAX - 2 * _DIGEST_BYTES - 1


def session_name(name: str) -> str:
    """``name``, or its beginning and a digest of it: many names differ only at their end."""
    raw = name.encode(errors="replace")
    if len(raw) <= STITCH_SESSION_BYTES_MAX:
        return raw.decode()
    digest = blake2b(raw, digest_size=_DIGEST_BYTES).hexdigest()
    return f"{raw[:_BEGINNING_BYTES].decode(errors='ignore')}~{digest}"

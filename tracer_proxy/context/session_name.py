"""The name of a session, as it is decided by and remembered: short, and different for different sessions."""

import re
from hashlib import blake2b

from tracer_proxy.limits import SESSION_NAME_BYTES_MAX

_DIGEST_BYTES = 16
_DIGEST = re.compile("~[0-9a-f]{16}")
_BEGINNING_BYTES = SESSION_NAME_BYTES_MAX - 2 * _DIGEST_BYTES - 1


def session_name(key: bytes) -> bytes:
    """``key``, or its beginning and a digest of it where it is long (many differ only at their end) or no UTF-8.

    The name of a name is that name. So one that was remembered falls into the same bucket as the key it was made of.
    """
    if len(key) <= SESSION_NAME_BYTES_MAX and (key.isascii() or _is_utf8(key)):
        return key
    digest = blake2b(key, digest_size=_DIGEST_BYTES).hexdigest()
    return b"%b~%b" % (key[:_BEGINNING_BYTES].decode(errors="ignore").encode(), digest.encode())


def session_digest(name: bytes) -> str:
    """What a session is called where nobody may read its name."""
    return f"~{blake2b(name, digest_size=8).hexdigest()}"


def is_session_digest(name: str) -> bool:
    return _DIGEST.fullmatch(name) is not None


def _is_utf8(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True

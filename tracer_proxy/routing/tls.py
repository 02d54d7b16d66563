"""How TLS is spoken to an endpoint. It names files and never holds what is in them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Equal descriptions stand for the same trust and the same identity, so that workers build one context for them."""

    ca: str = ""
    """A file with the certificates of those who may sign; empty for the system's store."""
    server_name: str = ""
    """Asked for (SNI) and expected in the certificate; empty for the endpoint's host."""
    cert: str = ""
    """The proxy's own certificate, and the file with its key; empty if it shows none."""
    key: str = ""
    verify: bool = True
    version: str = ""
    """A fingerprint of the files' content: new content makes a new description."""

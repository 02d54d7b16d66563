"""Whether the files that the TLS sections name are what they should be. Says what is wrong with a file, never what is in it."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NoReturn

from tracer_proxy.config.nodes import Location
from tracer_proxy.config.references import Complaint
from tracer_proxy.config.schema import Config
from tracer_proxy.config.tls import read_file

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED")
_SEQUENCE, _VERSION, _UTC_TIME = 0x30, 0xA0, 0x17


def complaints(config: Config) -> list[Complaint]:
    """Files that are not there, are not PEM, or do not fit together."""
    found: list[Complaint] = []
    for cas, cert, key, location in _sections(config):
        for name, path in cas.items():
            found += _certificates(path, (*location, name))
        broken = list(_certificates(cert, (*location, "cert"))) if cert else []
        found += broken
        if key:
            found += _key(key, "" if broken else cert, (*location, "key"))
    return found


def warnings(config: Config, now: datetime) -> list[Complaint]:
    """What works and should not stay so: certificates that have expired, and endpoints whose certificates nobody checks."""
    found: list[Complaint] = []
    for cas, cert, _, location in _sections(config):
        for name, path in [*cas.items(), *([("cert", cert)] if cert else [])]:
            end = _first_end(path)
            if end is not None and end < now:
                message = f"found {path!r}: its certificate has expired on {end:%Y-%m-%d}; put a new one in its place"
                found.append(Complaint((*location, name), message))
    for name, pool in config.pools.items():
        if pool.tls and not pool.tls.verify:
            message = "found false: whoever answers is believed to be the endpoint; use it for tests only"
            found.append(Complaint(("pools", name, "tls", "verify"), message))
    return found


def _sections(config: Config) -> Iterator[tuple[dict[str, str], str, str, Location]]:
    """CA files by key, the certificate, its key, and where they stand."""
    if listener := config.proxy.tls:
        cas = {"client_ca": listener.client_ca} if listener.client_ca else {}
        yield cas, listener.cert, listener.key, ("proxy", "tls")
    for name, pool in config.pools.items():
        if tls := pool.tls:
            yield {"ca": tls.ca} if tls.ca else {}, tls.cert or "", tls.key or "", ("pools", name, "tls")


def _certificates(path: str, location: Location) -> Iterator[Complaint]:
    try:
        content = read_file(path)
        if not _CERTIFICATE.search(content):
            yield Complaint(
                location, f"found {path!r}: the file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
            )
            return
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        yield Complaint(location, f"found {path!r}: a certificate in the file is damaged; write the file anew")
    except OSError as error:
        yield _unreadable(path, error, location)


def _key(path: str, cert: str, location: Location) -> Iterator[Complaint]:
    """``cert`` is the certificate to fit, if there is a good one."""
    try:
        content = read_file(path)
        if _ENCRYPTED.search(content):
            message = "the key has a passphrase, and nobody is there to type it; store it without: openssl pkey -in FILE"
            yield Complaint(location, f"found {path!r}: {message}")
        elif not _KEY.search(content):
            yield Complaint(
                location, f"found {path!r}: the file holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"
            )
        elif cert:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, path, _ask_nobody)
    except ssl.SSLError as error:
        told = (error.reason or "").replace("_", " ").lower()
        why = f"the key does not fit the certificate in {cert!r}" if "mismatch" in told else f"the key cannot be used: {told}"
        yield Complaint(location, f"found {path!r}: {why}")
    except OSError as error:
        yield _unreadable(path, error, location)


def _unreadable(path: str, error: OSError, location: Location) -> Complaint:
    return Complaint(location, f"found {path!r}: cannot read the file: {(error.strerror or str(error)).lower()}")


def _ask_nobody() -> NoReturn:
    raise ssl.SSLError("the key is encrypted")


def _first_end(path: str) -> datetime | None:
    """When the first certificate of a file expires; ``None`` when that cannot be told."""
    try:
        found = _CERTIFICATE.search(read_file(path))
        return _not_after(ssl.PEM_cert_to_DER_cert(found[0].decode())) if found else None
    except (OSError, ValueError, IndexError):
        return None


def _not_after(certificate: bytes) -> datetime:
    """RFC 5280 4.1: the validity is what stands behind version, serial number, signature and issuer."""
    _, at, _ = _element(certificate, 0)
    _, at, _ = _element(certificate, at)
    tag, _, end = _element(certificate, at)
    if tag == _VERSION:
        at = end
    for _ in range(3):
        _, _, at = _element(certificate, at)
    tag, at, _ = _element(certificate, at)
    if tag != _SEQUENCE:
        raise ValueError("no certificate")
    _, _, at = _element(certificate, at)
    tag, at, end = _element(certificate, at)
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(certificate[at:end].decode(), form).replace(tzinfo=UTC)


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, begin of the content, and its end, of the element at ``at``. Raises ``IndexError`` or ``ValueError``."""
    tag, length, begin = der[at], der[at + 1], at + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[at + 2 : begin], "big")
    if begin + length > len(der):
        raise ValueError("cut short")
    return tag, begin, begin + length

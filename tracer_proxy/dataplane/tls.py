"""TLS contexts of one worker, made from descriptions that name files.

Contexts cannot travel between processes; descriptions can. A change of the files' content makes a new description, and that a
new context: connections that stand keep the one they began with.
"""

import ssl
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn

from tracer_proxy.dataplane.settings import ListenerTls
from tracer_proxy.routing.tls import ClientTls

_PROTOCOLS = ["http/1.1"]


class CannotLoadFiles(OSError):
    """Certificates, key or CA file. The text says why, without naming the files: callers may read it."""


class ClientContexts:
    """Contexts for endpoints, one for each description."""

    def __init__(self) -> None:
        self._contexts: dict[ClientTls, ssl.SSLContext] = {}

    def get(self, tls: ClientTls) -> ssl.SSLContext:
        """Raises ``CannotLoadFiles``; the next call tries again. The first call with the system's store takes some 25 ms."""
        trust = _without_name(tls)
        context = self._contexts.get(trust)
        if context is None:
            context = self._contexts[trust] = _client_context(trust)
        return context

    def retain(self, used: Collection[ClientTls]) -> None:
        """Makes the contexts of ``used`` and forgets all others. What cannot be made is told to whoever needs it."""
        trusts = {_without_name(tls) for tls in used}
        self._contexts = {tls: context for tls, context in self._contexts.items() if tls in trusts}
        for tls in trusts:
            try:
                self.get(tls)
            except CannotLoadFiles:
                continue


class ServerTls:
    """TLS of the listeners. ``context`` is given to the loop once and stays; what it stands for is replaced by ``reload``."""

    def __init__(self, tls: ListenerTls) -> None:
        """Raises ``CannotLoadFiles``."""
        self.context = _Replaceable(_server_context(tls))

    def reload(self, tls: ListenerTls) -> None:
        """For handshakes that begin from now on. Raises ``CannotLoadFiles``, and then the old files stay in use."""
        self.context.current = _server_context(tls)


class _Replaceable(ssl.SSLContext):
    """Begins every handshake with the current context.

    Loading new files into one context would not do: a CA that was trusted once could never be taken out again.
    """

    current: ssl.SSLContext

    def __new__(cls, current: ssl.SSLContext) -> "_Replaceable":
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made.current = current
        return made

    def __init__(self, current: ssl.SSLContext) -> None:
        self.current = current

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        return self.current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def reason(error: ssl.SSLError) -> str:
    """Why a handshake failed, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    return (error.reason or str(error)).replace("_", " ").lower()


def _without_name(tls: ClientTls) -> ClientTls:
    """The name is checked by the connection, so that pools that differ in nothing else share a context."""
    return ClientTls(tls.ca, "", tls.cert, tls.key, tls.verify, tls.version)


def _client_context(tls: ClientTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    try:
        if not tls.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif tls.ca:
            context.load_verify_locations(tls.ca)
        else:
            context.load_default_certs()
        if tls.cert:
            context.load_cert_chain(tls.cert, tls.key, _ask_nobody)
    except OSError as error:
        raise _cannot_load(error) from None
    return context


def _server_context(tls: ListenerTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    try:
        context.load_cert_chain(tls.cert, tls.key, _ask_nobody)
        if tls.client_ca:
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise _cannot_load(error) from None
    return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(_PROTOCOLS)


def _cannot_load(error: OSError) -> CannotLoadFiles:
    told = reason(error) if isinstance(error, ssl.SSLError) else (error.strerror or str(error)).lower()
    return CannotLoadFiles(f"a certificate, key or CA file cannot be loaded: {told}")


def _ask_nobody() -> NoReturn:
    """Without this, OpenSSL asks for the passphrase of a key on the terminal, and waits."""
    raise ssl.SSLError("the key is encrypted")


def names_in(certificate: Mapping[str, Any] | None) -> Sequence[str]:
    """The subject's common names and the alternative names in a client's certificate, as ``ssl`` describes it."""
    if not certificate:
        return ()
    subject = [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
    return tuple(dict.fromkeys([*subject, *(value for _, value in certificate.get("subjectAltName", ()))]))

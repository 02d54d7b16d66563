"""The sections about TLS, and what workers get of them: the names of files, and a fingerprint of what is in them."""

import hashlib
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tracer_proxy.config.part import Part
from tracer_proxy.config.values import Flag, Form, text, wrong
from tracer_proxy.dataplane.settings import ListenerTls
from tracer_proxy.limits import TLS_FILE_BYTES_MAX
from tracer_proxy.routing.tls import ClientTls

if TYPE_CHECKING:
    from tracer_proxy.config.schema import Config

_FILE = "the absolute path of a file, such as /etc/tracer-proxy/cert.pem"


def _read_file_path(value: object) -> str:
    path = text(value, _FILE)
    if not path.startswith("/") or "\0" in path:
        raise wrong(f"expected {_FILE}")
    return path


def _read_server_name(value: object) -> str:
    expectation = "a host name without port, such as api.example.com"
    name = text(value, expectation)
    if not _SERVER_NAME.fullmatch(name):
        raise wrong(f"expected {expectation}")
    return name.lower()


_SERVER_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})")

ServerName = Annotated[str, Form("host name", _read_server_name, {"type": "string"})]
FilePath = Annotated[str, Form("absolute path", _read_file_path, {"type": "string", "pattern": "^/"})]


class PoolTls(Part):
    """TLS with the `https://` endpoints of a pool. Files are in PEM form; new content is used for new connections."""

    ca: FilePath | None = Field(
        None, description="Certificates of those who may sign the endpoints'; the system's if left out."
    )
    server_name: ServerName | None = Field(
        None, description="The name to ask for (SNI) and to expect in the certificate, in place of the endpoint's host."
    )
    cert: FilePath | None = Field(None, description="The certificate that the proxy shows; needs `key`.")
    key: FilePath | None = Field(None, description="The key of `cert`, without a passphrase.")
    verify: Flag = Field(True, description="`false` believes whoever answers, which is no protection: for tests only.")


class ProxyTls(Part):
    """TLS on the proxy's own addresses. Files are in PEM form; new content is used for new connections."""

    cert: FilePath = Field(description="The proxy's certificate, with those that lead to its CA behind it.")
    key: FilePath = Field(description="The key of `cert`, without a passphrase.")
    client_ca: FilePath | None = Field(
        None, description="Certificates of those who sign clients'; given, a client without such a certificate is refused."
    )


def of_pool(tls: PoolTls | None) -> ClientTls:
    if tls is None:
        return ClientTls()
    ca, cert, key = tls.ca or "", tls.cert or "", tls.key or ""
    return ClientTls(ca, tls.server_name or "", cert, key, tls.verify, _fingerprint(ca, cert, key))


def of_listener(tls: ProxyTls) -> ListenerTls:
    client_ca = tls.client_ca or ""
    return ListenerTls(tls.cert, tls.key, client_ca, _fingerprint(tls.cert, tls.key, client_ca))


def watched_files(config: "Config") -> set[Path]:
    """Files that are not the config, but make another table of it when their content changes."""
    return {Path(path) for path in _paths(config)}


def _paths(config: "Config") -> Iterator[str]:
    if listener := config.proxy.tls:
        yield from filter(None, (listener.cert, listener.key, listener.client_ca))
    for pool in config.pools.values():
        if pool.tls:
            yield from filter(None, (pool.tls.ca, pool.tls.cert, pool.tls.key))


def read_file(path: str) -> bytes:
    """Raises ``OSError``, also for what is no ordinary file or is too large."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise OSError("it is no ordinary file")
    with Path(path).open("rb") as file:
        content = file.read(TLS_FILE_BYTES_MAX + 1)
    if len(content) > TLS_FILE_BYTES_MAX:
        raise OSError(f"it is larger than {TLS_FILE_BYTES_MAX} bytes")
    return content


def _fingerprint(*paths: str) -> str:
    """Of the content. A file that cannot be read counts as empty: whoever needs it will say so."""
    if not any(paths):
        return ""
    digest = hashlib.sha256()
    for path in paths:
        try:
            content = read_file(path) if path else b""
        except OSError:
            content = b""
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()

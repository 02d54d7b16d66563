"""The admin port of a running proxy, as a command asks it."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tracer_proxy.limits import TAIL_CONNECT_S, TAIL_LINE_BYTES_MAX, TAIL_SILENCE_S

DEFAULT = "http://127.0.0.1:8081"


class NoAnswer(Exception):
    """Nobody answers, or not now. One clause that says why."""


class Refused(Exception):
    """It will not answer this. One sentence that says why, and what to do."""


@dataclass(frozen=True)
class Address:
    """``url`` is where to send requests to, without a slash at the end; ``socket`` the path of a Unix socket, or empty."""

    url: str
    socket: str = ""

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else self.url


def read_address(text: str) -> Address:
    """From a URL, ``host:port`` or ``unix:/path``, also as the config names it. Raises ``ValueError`` with a sentence."""
    if text.startswith("unix:/"):
        return Address("http://localhost", text.removeprefix("unix:"))
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = parts.port or 0
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port < 0 or parts.path.strip("/") or parts.username:
        raise ValueError(f"{text!r} is no address of an admin port, such as {DEFAULT} or unix:/run/admin.sock.")
    # Where it listens on all addresses, it can be asked on this one.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(parts.hostname, parts.hostname)  # noqa: S104 — nobody listens here
    shown = f"[{host}]" if ":" in host else host
    return Address(f"{parts.scheme}://{shown}" + (f":{port}" if port else ""))


class AdminApi:
    def __init__(self, address: Address, token: str | None) -> None:
        self.address = address
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TAIL_CONNECT_S, sock_read=TAIL_SILENCE_S)
        self._client = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(address.socket) if address.socket else None,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=timeout,
            read_bufsize=TAIL_LINE_BYTES_MAX,
        )

    async def __aenter__(self) -> "AdminApi":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        await self._client.close()

    async def get(self, path: str, query: Mapping[str, str]) -> Any:
        """The JSON document. Raises ``NoAnswer`` and ``Refused``."""
        async with self._asked(path, query) as answer:
            with self._plainly():
                return json.loads(await answer.read())

    async def post(self, path: str, document: object) -> Any:
        """As ``get``, for something to be done."""
        async with self._asked(path, {}, document) as answer:
            with self._plainly():
                return json.loads(await answer.read())

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        """Names and documents of events. Raises ``NoAnswer`` and ``Refused``; ``NoAnswer`` also when it breaks off or ends."""
        async with self._asked(path, query) as answer:
            yield self._events(answer.content)

    @asynccontextmanager
    async def _asked(
        self, path: str, query: Mapping[str, str], document: object | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        method = "GET" if document is None else "POST"
        with self._plainly():
            answer = await self._client.request(method, self.address.url + path, params=query, json=document)
        try:
            if answer.status != 200:
                with self._plainly():
                    raise await self._no(answer, path)
            yield answer
        finally:
            answer.close()

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except aiohttp.ClientConnectorError as error:
            raise NoAnswer((error.os_error.strerror or str(error.os_error)).lower()) from None
        except TimeoutError:
            raise NoAnswer("it says nothing") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(f"the connection broke off ({str(error) or type(error).__name__})") from None
        except ValueError:
            raise Refused(f"{self.address} does not speak as an admin port does; is it the proxy's own port?") from None

    async def _no(self, answer: aiohttp.ClientResponse, path: str) -> Exception:
        message = _message(await answer.content.read(TAIL_LINE_BYTES_MAX))
        if answer.status >= 500:
            return NoAnswer(f"it says {answer.status}" + (f": {message}" if message else ""))
        if answer.status == 401:
            return Refused("The admin port wants its token: set TRACER_PROXY_ADMIN_TOKEN, or give --token or --config.")
        return Refused(message or f"{self.address} answers {path} with {answer.status}; is it the admin port of a proxy?")

    async def _events(self, content: aiohttp.StreamReader) -> AsyncIterator[tuple[str, Any]]:
        """Server-sent events (HTML Living Standard 9.2.6), as far as the admin port uses them."""
        name, data = "", b""
        while True:
            with self._plainly():
                line = await content.readline()
            if not line:
                raise NoAnswer("it closed the connection")
            field, _, value = line.rstrip(b"\r\n").partition(b": ")
            if field == b"event":
                name = value.decode()
            elif field == b"data":
                data = value
            elif not field and not value and name:
                with self._plainly():
                    document = json.loads(data)
                yield name, document
                name, data = "", b""


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return ""

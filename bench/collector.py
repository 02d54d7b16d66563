"""A collector that takes every batch and looks at none: ``python -m bench.collector HOST:PORT [DELAY_S]``."""

import asyncio
import sys

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"

_delay_s = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
"""Before it answers."""


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            await asyncio.sleep(_delay_s)
            writer.write(_ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(address: str) -> None:
    host, port = address.rsplit(":", 1)
    server = await asyncio.start_server(_serve, host, int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

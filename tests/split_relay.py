"""A relay between a client and a mock that lets bytes through in random small pieces, each a moment after the one before."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PIECE_BYTES_MAX = 60


@asynccontextmanager
async def split_relay(address: str, seed: int) -> AsyncIterator[str]:
    """Where to connect instead of ``address``. Only what comes from the mock is cut."""
    host, port = address.split(":")
    dice = random.Random(seed)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy_in_pieces(far_reader, writer, dice))
        except ConnectionError:
            pass  # A client that has seen the end of a stream hangs up.
        finally:
            far_writer.close()
            writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        yield "{}:{}".format(*server.sockets[0].getsockname())


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.write_eof()


async def _copy_in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, dice: random.Random) -> None:
    while piece := await reader.read(dice.randint(1, _PIECE_BYTES_MAX)):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    writer.close()

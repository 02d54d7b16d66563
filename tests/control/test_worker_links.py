"""Who may call control: workers that show the token, and nobody else."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from harness import WAIT_S, one_route

from tracer_proxy.config.compile import DEFAULT_MOCK_LLM, compile_settings, compile_table
from tracer_proxy.config.load import load_text
from tracer_proxy.control.events import Events
from tracer_proxy.control.workers import Workers
from tracer_proxy.dataplane.frames import FrameKind, FrameReader, frame
from tracer_proxy.dataplane.load import Load
from tracer_proxy.limits import LINK_HELLO_BYTES_MAX
from tracer_proxy.telemetry.deltas import Delta
from tracer_proxy.telemetry.record import Record

TOKEN = "t" * 64


class Desk:
    def __init__(self) -> None:
        self.heard: list[tuple[int, Delta]] = []
        self.gone: list[int] = []
        self.records: list[Record] = []

    def counted(self, number: int, delta: Delta, confirm: Callable[[], None]) -> None:
        self.heard.append((number, delta))
        confirm()

    def confirm(self) -> None:
        """All is confirmed at once."""

    def recorded(self, number: int, records: Sequence[Record], size_bytes: int) -> None:
        self.records += records

    def lost(self, number: int) -> None:
        self.gone.append(number)


@asynccontextmanager
async def called() -> AsyncIterator[tuple[Workers, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Control with a table to give away, and a caller."""
    workers = Workers(TOKEN, Events(), Desk())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(b"")
        listener.listen()
        await workers.listen(listener)
        config = load_text(one_route("http://127.0.0.1:1"), "test.yaml", {})
        workers.send(Load("v1", compile_table(config, DEFAULT_MOCK_LLM), compile_settings(config.proxy)))
        caller = socket.socket(socket.AF_UNIX)
        caller.connect(listener.getsockname())
        caller.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=caller)
        try:
            yield workers, reader, writer
        finally:
            writer.close()


@pytest.mark.parametrize(
    "first",
    [
        frame(FrameKind.HELLO, {"token": "x" * 64, "worker": 1, "version": ""}),
        frame(FrameKind.HELLO, {"token": "é", "worker": 1, "version": ""}),
        frame(FrameKind.HELLO, {"worker": 1}),
        frame(FrameKind.REPORT, {"answers": 1}),
        frame(FrameKind.HELLO, {"token": TOKEN, "worker": 1, "version": "x" * LINK_HELLO_BYTES_MAX}),
        b"\xff" * 64,
        frame(FrameKind.HELLO, [])[:4] + b"\x01nonsense",
    ],
)
async def test_a_stranger_gets_no_table(first: bytes) -> None:
    async with called() as (workers, reader, writer), asyncio.timeout(WAIT_S):
        writer.write(first)
        assert await reader.read(1) == b""
        assert not workers.links


async def test_a_worker_gets_the_table_and_its_counts_are_confirmed() -> None:
    async with called() as (workers, reader, writer), asyncio.timeout(WAIT_S):
        writer.write(frame(FrameKind.HELLO, {"token": TOKEN, "worker": 3, "version": ""}))
        frames, found = FrameReader(), list[tuple[FrameKind, bytes]]()
        counted: dict[str, Any] = {"run": "r", "number": 1, "whole": True, "added": [], "observed": [], "gauges": []}
        writer.write(frame(FrameKind.REPORT, {"answers": 0, "counted": counted}))
        while len(found) < 2:
            # Byte by byte: a frame may come in any pieces.
            found += frames.feed(await reader.read(1))
        assert [kind for kind, _ in found] == [FrameKind.LOAD, FrameKind.CONFIRM]
        assert json.loads(found[1][1]) == ["r", 1]
        assert isinstance(workers.desk, Desk)
        assert [number for number, _ in workers.desk.heard] == [3]
        writer.close()
        while not workers.desk.gone:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

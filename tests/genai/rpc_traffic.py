"""Exchanges recorded between official SDKs and a toy server of theirs, one per line of a golden file."""

import json
from dataclasses import dataclass
from pathlib import Path

from tracer_proxy.genai.rpc import RpcAnswered
from tracer_proxy.genai.rpc_answers import RpcAnswerReader

GOLDEN = Path(__file__).parent / "golden" / "rpc"
FILES = ("mcp-1.30", "mcp-2.3-handshake", "mcp-2.3-modern", "a2a-0.3", "a2a-1.3")


@dataclass(frozen=True)
class Exchange:
    protocol: str
    method: str
    headers: dict[bytes, bytes]
    body: bytes
    status: int
    answer_headers: dict[bytes, bytes]
    answer: bytes


def exchanges(file: str) -> list[Exchange]:
    return [_exchange(file, json.loads(line)) for line in (GOLDEN / f"{file}.jsonl").read_text().splitlines()]


def everything() -> list[Exchange]:
    return [exchange for file in FILES for exchange in exchanges(file)]


def reader(exchange: Exchange, content_chars: int = 0) -> RpcAnswerReader:
    return RpcAnswerReader(
        exchange.protocol,
        status=exchange.status,
        content_type=exchange.answer_headers.get(b"content-type", b""),
        content_encoding=exchange.answer_headers.get(b"content-encoding", b""),
        mcp_session=exchange.answer_headers.get(b"mcp-session-id", b""),
        content_chars=content_chars,
    )


def answered(exchange: Exchange, *pieces: bytes, content_chars: int = 0) -> RpcAnswered | None:
    reading = reader(exchange, content_chars)
    for piece in pieces or (exchange.answer,):
        reading.feed(piece, 0.0)
    return reading.finish()


def _exchange(file: str, recorded: dict[str, object]) -> Exchange:
    return Exchange(
        protocol=file[:3],
        method=str(recorded["method"]),
        headers=_fields(recorded["headers"]),
        body=str(recorded["body"]).encode(),
        status=int(str(recorded["status"])),
        answer_headers=_fields(recorded["answer_headers"]),
        answer=str(recorded["answer"]).encode(),
    )


def _fields(recorded: object) -> dict[bytes, bytes]:
    assert isinstance(recorded, dict)
    return {name.encode(): value.encode() for name, value in recorded.items()}

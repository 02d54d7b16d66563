"""Content encodings are taken off a piece at a time, and no bomb gets far."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer_proxy import limits
from tracer_proxy.genai.answers import AnswerReader
from tracer_proxy.genai.decoding import BrokenEncoding, ContentDecoder, TooMuch, UnknownEncoding

ENCODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": zstandard.ZstdCompressor().compress,
}
each_encoding = pytest.mark.parametrize("encoding", ENCODERS)


@each_encoding
@settings(max_examples=30)
@given(data=st.binary(max_size=200), size=st.integers(1, 50))
def test_all_that_was_encoded_comes_out(encoding: bytes, data: bytes, size: int) -> None:
    encoded = ENCODERS[encoding](data)
    decoder = ContentDecoder(encoding)
    assert b"".join(decoder.feed(encoded[place : place + size]) for place in range(0, len(encoded), size)) == data


@pytest.mark.parametrize("outer", ENCODERS)
@pytest.mark.parametrize("inner", ENCODERS)
def test_two_encodings_on_top_of_each_other(inner: bytes, outer: bytes) -> None:
    encoded = ENCODERS[outer](ENCODERS[inner](b"hello " * 100))
    decoder = ContentDecoder(inner + b" ,\t" + outer.upper())
    assert b"".join(decoder.feed(bytes([byte])) for byte in encoded) == b"hello " * 100


@pytest.mark.parametrize("encoding", [b"", b"identity", b" , identity,"])
def test_no_encoding_at_all(encoding: bytes) -> None:
    assert ContentDecoder(encoding).feed(b"hello") == b"hello"


@pytest.mark.parametrize("encoding", [b"compress", b"gzip, gzip, gzip", b"snappy", b"gzip;q=1"])
def test_encodings_that_are_not_read(encoding: bytes) -> None:
    with pytest.raises(UnknownEncoding, match=r"known are gzip|more than are read"):
        ContentDecoder(encoding)
    reader = AnswerReader("messages", status=200, content_type=b"application/json", content_encoding=encoding, prefix=b"")
    reader.feed(b"{}", 1.0)
    assert (reader.finish(), reader.gave_up) == (None, "encoding")


@each_encoding
def test_bytes_that_are_not_what_the_encoding_says(encoding: bytes) -> None:
    with pytest.raises(BrokenEncoding):
        ContentDecoder(encoding).feed(b"\x07no such thing, whichever way it is read" * 10)
    reader = AnswerReader("messages", status=200, content_type=b"text/event-stream", content_encoding=encoding, prefix=b"")
    reader.feed(b"\x07no such thing, whichever way it is read" * 10, 1.0)
    assert (reader.finish(), reader.gave_up) == (None, "encoding")


@each_encoding
def test_what_stands_behind_the_end_is_no_content(encoding: bytes) -> None:
    encoded = ENCODERS[encoding](b"hello")
    decoder = ContentDecoder(encoding)
    assert decoder.feed(encoded) == b"hello"
    if encoding != b"zstd":
        assert decoder.feed(b"\0" * 20) == b""
        assert decoder.feed(b"\0" * 20) == b""


@each_encoding
@settings(max_examples=200)
@given(data=st.binary(max_size=100))
def test_any_bytes_are_content_or_broken(encoding: bytes, data: bytes) -> None:
    decoder = ContentDecoder(encoding)
    try:
        for byte in ENCODERS[encoding](b"hello")[: len(data) // 2] + data:
            decoder.feed(bytes([byte]))
    except (BrokenEncoding, TooMuch):
        pass


def bomb(encoding: bytes, size: int) -> bytes:
    zeros = b"\0" * limits.MiB
    if encoding == b"br":
        brotli_press = brotli.Compressor(quality=1)
        return b"".join(brotli_press.process(zeros) for _ in range(size)) + bytes(brotli_press.finish())
    if encoding == b"zstd":
        zstd_press = zstandard.ZstdCompressor().compressobj()
        return b"".join(zstd_press.compress(zeros) for _ in range(size)) + zstd_press.flush()
    press = zlib.compressobj(wbits=31 if encoding == b"gzip" else 15)
    return b"".join(press.compress(zeros) for _ in range(size)) + press.flush()


@each_encoding
def test_a_bomb_in_one_read_ends_early_and_takes_little_memory(encoding: bytes) -> None:
    encoded = bomb(encoding, 50)
    tracemalloc.start()
    try:
        with pytest.raises(TooMuch):
            ContentDecoder(encoding).feed(encoded)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * limits.ANSWER_DECODED_READ_BYTES_MAX


@each_encoding
def test_a_bomb_in_small_pieces_ends_at_the_bound_of_all(encoding: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ANSWER_DECODED_BYTES_MAX", 8 * limits.MiB)
    decoder = ContentDecoder(encoding)
    sizes: list[int] = []

    def feed_all() -> None:
        sizes.extend(len(decoder.feed(bytes([byte]))) for byte in bomb(encoding, 40))

    with pytest.raises(TooMuch):
        feed_all()
    assert sum(sizes) <= 8 * limits.MiB


@each_encoding
def test_a_bomb_of_bombs(encoding: bytes) -> None:
    twice = ENCODERS[encoding](bomb(encoding, 50))
    with pytest.raises(TooMuch):
        ContentDecoder(encoding + b"," + encoding).feed(twice)


@each_encoding
def test_a_reader_gives_up_a_bomb_quietly(encoding: bytes) -> None:
    reader = AnswerReader("messages", status=200, content_type=b"text/event-stream", content_encoding=encoding, prefix=b"")
    reader.feed(bomb(encoding, 20), 1.0)
    reader.feed(b"more", 1.0)
    assert (reader.finish(), reader.gave_up) == (None, "too_large")


def test_zstd_with_a_window_beyond_what_http_allows() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    encoded = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = encoded.compress(b"x" * 1000) + encoded.flush()
    with pytest.raises(BrokenEncoding):
        ContentDecoder(b"zstd").feed(data)

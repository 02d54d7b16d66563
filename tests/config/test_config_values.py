"""Durations, sizes and addresses: every way to write them, and how defaults are written back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer_proxy.config.addresses import ListenAddress, split_listen
from tracer_proxy.config.load import load_text
from tracer_proxy.config.values import show_duration, show_size
from tracer_proxy.limits import CONFIG_SIZE_BYTES_MAX

TEXT = """\
version: 1
proxy: {{drain: {drain}}}
routes: [{{name: r, limits: {{request_body: {size}}}, lanes: [{{name: a, pool: p}}]}}]
pools: {{p: {{endpoints: [http://h]}}}}
"""


def drain(written: object) -> float:
    return load_text(TEXT.format(drain=written, size=0), "f.yaml", {}).proxy.drain


def size(written: object) -> int | None:
    return load_text(TEXT.format(drain=0, size=written), "f.yaml", {}).routes[0].limits.request_body


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250ms", 0.25),
        ("5s", 5.0),
        ("1.5s", 1.5),
        ("10m", 600.0),
        ("1h", 3600.0),
        ("2d", 172800.0),
        ("7", 7.0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("'7'", 7.0),
        ("0", 0.0),
    ],
)
def test_durations(written: str, seconds: float) -> None:
    """With a unit, or a number of seconds."""
    assert drain(written) == seconds


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [
        ("0", 0),
        ("17", 17),
        ("'17'", 17),
        ("1B", 1),
        ("10KB", 10_000),
        ("10KiB", 10_240),
        ("3MB", 3_000_000),
        ("64MiB", 67_108_864),
        ("1GB", 1_000_000_000),
        ("1GiB", 1_073_741_824),
        ("unlimited", None),
    ],
)
def test_sizes(written: str, size_bytes: int | None) -> None:
    """With a unit of 1000 or 1024, or a number of bytes."""
    assert size(written) == size_bytes


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=30 * 24 * 3600 * 1000))
def test_shown_duration_reads_back(milliseconds: int) -> None:
    """A default in the docs can be pasted into a file."""
    assert drain(show_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, rel=1e-9)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=CONFIG_SIZE_BYTES_MAX))
def test_shown_size_reads_back(size_bytes: int) -> None:
    """As a duration does."""
    assert size(show_size(size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("written", "address", "is_local"),
    [
        ("127.0.0.1:80", ListenAddress("127.0.0.1", 80), True),
        ("127.8.8.8:80", ListenAddress("127.8.8.8", 80), True),
        ("[::1]:0", ListenAddress("::1", 0), True),
        ("localhost:80", ListenAddress("localhost", 80), True),
        ("unix:/run/a.sock", ListenAddress("", 0, "/run/a.sock"), True),
        ("0.0.0.0:80", ListenAddress("0.0.0.0", 80), False),
        ("[::]:80", ListenAddress("::", 80), False),
        ("Example.com:80", ListenAddress("example.com", 80), False),
        ("localhost.example.com:80", ListenAddress("localhost.example.com", 80), False),
    ],
)
def test_listen_addresses(written: str, address: ListenAddress, is_local: bool) -> None:
    """In their parts, and whether only this machine can reach them."""
    assert split_listen(written) == address
    assert address.is_local is is_local


@pytest.mark.parametrize("written", ["", ":80", "h", "h:", "h:x", "h:65536", "::1:80", "[::1]", "unix:", "http://h:80"])
def test_what_is_no_listen_address(written: str) -> None:
    """For those who take one outside of a file, it is a ``ValueError``."""
    with pytest.raises(ValueError, match="expected"):
        split_listen(written)

"""The soak in small, and the parts of it that judge."""

import re
import subprocess
import sys

import pytest

from soak.client import Lateness, Stream, request, take_chunk
from soak.processes import slope_per_minute
from soak.upstream import take_request

SOAK_S = 110.0


def soak(*arguments: str) -> str:
    """What it printed; fails the test if it failed."""
    done = subprocess.run(
        [sys.executable, "-m", "soak", *arguments], capture_output=True, text=True, timeout=SOAK_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_reloads_and_kills_of_control_lose_nothing() -> None:
    """No event counts as late here: a shared machine may stall."""
    told = soak(
        *("reloads", "--streams", "20", "--websockets", "4", "--keepalive", "4", "--reloads", "10", "--control-kills", "2"),
        *("--late", "1000", "--baseline", "0.5"),
    )
    assert re.search(r"\| failures +\| 0\n", told), told


def test_mixed_traffic_fails_only_where_it_is_meant_to() -> None:
    """Too short to say how memory grows."""
    soak("mixed", "--minutes", "0.3", "--clients", "15", "--faults", "0.2", "--growth", "1000")


def heard(*pieces: bytes) -> list[str]:
    complaints: list[str] = []
    stream = Stream("/s", Lateness(1.0), complaints.append)
    for piece in (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *pieces):
        stream.data_received(piece)
    stream.connection_lost(None)
    return complaints


def event(number: int) -> bytes:
    return chunk(b"data: %d 0.0\n\n" % number)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


END = chunk(b"event: end\ndata: 2 0\n\n") + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "complaint"),
    [
        ((event(0), event(1), END), ""),
        ((chunk(b"data: 0 0.0\n\ndata: 1 "), chunk(b"0.0\n\n"), END), ""),
        ((event(0), END), "event 2 came where 1 was expected"),
        ((event(0), event(0), event(1), END), "event 0 came where 1 was expected"),
        ((event(0), event(1)), "was closed"),
        ((event(0), event(1), b"0\r\n\r\n"), "without its last event"),
    ],
)
def test_a_stream_notices_what_is_lost_doubled_or_broken_off(pieces: tuple[bytes, ...], complaint: str) -> None:
    for cut in (heard(*pieces), heard(*(bytes([byte]) for byte in b"".join(pieces)))):
        assert [complaint in each for each in cut] == ([True] if complaint else [])


def test_lateness() -> None:
    lateness = Lateness(1.0)
    for seconds in (0.002, 0.003, 1.5):
        lateness.add(seconds)
    assert (lateness.count, lateness.late, lateness.worst_s, lateness.quantile_ms(0.5)) == (3, 1, 1.5, 3)


def test_requests_are_taken_apart() -> None:
    for sent in (request("POST", "/a", b"body"), request("POST", "/a", b"body", chunked=True)):
        found = take_request(sent + b"GET")
        assert found is not None
        assert found[1:] == (b"body", b"GET")
        assert all(take_request(sent[:length]) is None for length in range(len(sent)))


def test_a_chunk_is_whole_or_not_there() -> None:
    assert take_chunk(b"3\r\nabc\r\n0\r\n") == (b"abc", b"0\r\n")
    assert take_chunk(b"3\r\nabc\r") is None


def test_slope() -> None:
    assert slope_per_minute([(0.0, 10.0), (30.0, 11.0), (60.0, 12.0)]) == pytest.approx(2.0)
    assert slope_per_minute([(0.0, 10.0)]) == 0.0

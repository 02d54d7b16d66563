"""Reading what wrk prints."""

import pytest

from bench.load import parse_wrk
from bench.processes import BenchError

REPORT = """Running 8s test @ http://127.0.0.1:40001/agents/planner/v1/chat/completions
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.05ms  210.00us   9.01ms   90.12%
  240000 requests in 8.00s, 154.50MB read
Requests/sec:  30000.00
"""
RESULT = (
    'result {"requests": 240000, "duration_us": 8000000, "p50_us": 1020, "p99_us": 2400, '
    '"connect": 0, "read": 1, "write": 0, "status": 2, "timeout": 4}\n'
)


def test_result_line_is_found_behind_the_report() -> None:
    result = parse_wrk(REPORT + "\n" + RESULT)
    assert (result.requests, result.seconds, result.requests_per_s) == (240_000, 8.0, 30_000.0)
    assert (result.p50_ms, result.p99_ms) == (1.02, 2.4)


def test_every_kind_of_error_counts() -> None:
    result = parse_wrk(RESULT)
    assert result.errors == 7
    assert result.failures == {"connect": 0, "read": 1, "write": 0, "status": 2, "timeout": 4}


def test_without_a_result_line_the_error_quotes_wrk() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_a_run_without_one_answer_is_an_error_and_not_a_division_by_zero() -> None:
    with pytest.raises(BenchError, match="no request was answered"):
        parse_wrk(RESULT.replace("240000", "0"))

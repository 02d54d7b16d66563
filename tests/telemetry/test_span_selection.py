"""What is exported although it was not sampled."""

import pytest
from span_cases import answered, attempt, llm_record, record

from tracer_proxy.genai.rpc import RpcAnswered
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.selection import is_exported

FAILED = [
    record(status=500),
    record(status=502, error="upstream_unreachable", attempts=[]),
    record(error="upstream_closed"),
    record(attempts=[attempt(status=503), attempt()]),
    record(attempts=[attempt(status=None, error="connect_timeout"), attempt()]),
    llm_record(answered=answered(error="overloaded_error")),
    record(rpc_answered=RpcAnswered("-32602", "no", False, "", "", "", "", "")),
    record(rpc_answered=RpcAnswered("", "", True, "", "", "", "", "")),
]
WELL = [
    record(),
    record(status=404, attempts=[attempt(status=404)]),
    record(status=404, error="no_route", attempts=[]),
    record(status=499, error="client_gone", attempts=[attempt(error="client_gone")]),
    llm_record(),
]


def unsampled(made: Record) -> Record:
    made.sampled = False
    return made


@pytest.mark.parametrize("made", [*FAILED, *WELL])
def test_what_is_sampled_is_exported(made: Record) -> None:
    made.sampled = True
    assert is_exported(made, errors=False, slower_s=None)


@pytest.mark.parametrize("made", FAILED)
def test_failures_are_exported_if_wanted(made: Record) -> None:
    assert is_exported(unsampled(made), errors=True, slower_s=None)
    assert not is_exported(unsampled(made), errors=False, slower_s=None)


@pytest.mark.parametrize("made", WELL)
def test_what_went_well_is_no_failure(made: Record) -> None:
    assert not is_exported(unsampled(made), errors=True, slower_s=None)


def test_slow_ones_are_exported_if_wanted() -> None:
    made = unsampled(record())
    assert is_exported(made, errors=False, slower_s=0.9)
    assert not is_exported(made, errors=False, slower_s=1.1)

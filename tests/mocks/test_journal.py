"""The journal itself: its bound in bytes."""

import json

from tracer_proxy import limits
from tracer_proxy.mocks.journal import Journal


def test_bytes_are_bounded_and_the_latest_calls_are_kept() -> None:
    journal = Journal()
    size = limits.MOCK_JOURNAL_REQUEST_BYTES_MAX - 1000
    count = 2 * limits.MOCK_JOURNAL_BYTES_MAX // size
    for _ in range(count):
        journal.add(method="POST", path="/", headers={}, request="x" * size, status=200, stream=False)
    text = journal.as_json()
    assert len(text) < limits.MOCK_JOURNAL_BYTES_MAX + 1000
    found = json.loads(text)
    assert found["calls"][-1]["number"] == count
    assert found["dropped"] + len(found["calls"]) == count
    assert repr(journal) == f"<Journal {len(found['calls'])} calls, {found['dropped']} dropped>"


def test_a_schema_may_have_a_property_named_like_a_secret() -> None:
    journal = Journal()
    request = {"properties": {"api_key": {"type": "string"}}, "api_key": "secret"}
    journal.add(method="POST", path="/", headers={}, request=request, status=200, stream=False)
    assert json.loads(journal.as_json())["calls"][0]["request"] == {
        "properties": {"api_key": {"type": "string"}},
        "api_key": "[redacted]",
    }

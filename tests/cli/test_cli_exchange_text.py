"""How an exchange is painted: green went well, yellow is the client's own, red failed."""

from typing import Any

import pytest
from record_cases import BEGAN, answered, asked, attempt, record

from tracer_proxy.cli import exchange_text
from tracer_proxy.genai.rpc import RpcAnswered
from tracer_proxy.telemetry.exchange_detail import detail_of


@pytest.mark.parametrize(
    ("changes", "status", "style", "error"),
    [
        ({}, "200", "green", ""),
        ({"status": 404, "attempts": [attempt(b"1" * 16, BEGAN, BEGAN, status=404)]}, "404", "yellow", ""),
        ({"status": 404, "error": "no_route", "attempts": []}, "404", "yellow", ""),
        ({"status": 499, "error": "client_gone"}, "gone", "yellow", ""),
        ({"status": 200, "error": "client_gone"}, "gone", "yellow", ""),
        ({"status": 503}, "503", "bold red", "503"),
        ({"status": 200, "error": "upstream_closed"}, "200", "bold red", "upstream_closed"),
        ({"asked": asked(), "answered": answered(error="overloaded_error")}, "200", "bold red", "overloaded_error"),
        ({"rpc_answered": RpcAnswered("-32602", "no", False, "", "", "", "", "")}, "200", "bold red", "-32602"),
    ],
)
def test_status_and_its_colour(changes: dict[str, Any], status: str, style: str, error: str) -> None:
    shown = detail_of(record(**changes))
    found = (exchange_text.status_of(shown), exchange_text.status_style(shown), exchange_text.error_of(shown))
    assert found == (status, style, error)

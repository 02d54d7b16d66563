"""Before a proxy is loaded: does it do the job at all? A fast proxy that skips the work would win unfairly."""

import http.client
import json
from collections.abc import Iterator

from bench.peers import Addresses
from bench.processes import BenchError

SESSIONS = 400
CANARY_SESSIONS = range(5, 60)
"""How many of 400 sessions may land on a lane of 5 %: 20 are expected, so this only finds a missing or wrong split."""
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
SEEN_PATH = "/agents/planner/seen"


def check_job(name: str, address: str, lanes: Addresses) -> None:
    """Send 400 sessions through the proxy twice; BenchError names the first thing it does not do."""
    first, second = list(_answers(name, address)), list(_answers(name, address))
    for seen in first:
        _check_headers(name, seen)
    if [each["address"] for each in first] != [each["address"] for each in second]:
        raise BenchError(f"{name} sent a session to two lanes.")
    on_canary = sum(each["address"] == lanes["BENCH_CANARY"] for each in first)
    if on_canary not in CANARY_SESSIONS:
        raise BenchError(f"{name} sent {on_canary} of {SESSIONS} sessions to the canary lane; about 5 % were expected.")
    if max(int(each["use"]) for each in second) < SESSIONS:
        raise BenchError(f"{name} does not keep its upstream connections.")


def _answers(name: str, address: str) -> Iterator[dict[str, str]]:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        for number in range(SESSIONS):
            headers = {"x-session-id": f"session-{number}", "traceparent": TRACEPARENT}
            # No body: http.client sends it apart, and an upstream that answers before it has come is left by its connection.
            connection.request("GET", SEEN_PATH, headers=headers)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise BenchError(f"{name} answered {response.status} to the first requests: {body[:200]!r}.")
            yield json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BenchError(f"{name} failed at the first requests: {type(error).__name__}: {error}.") from error
    finally:
        connection.close()


def _check_headers(name: str, seen: dict[str, str]) -> None:
    wanted = {
        "Via": bool(seen["via"]),
        "X-Forwarded-For": seen["forwarded_for"] == "127.0.0.1",
        "X-Forwarded-Host": bool(seen["forwarded_host"]),
        "X-Forwarded-Proto": seen["forwarded_proto"] == "http",
        "traceparent with the caller's trace id": seen["traceparent"].startswith(f"00-{TRACE_ID}-"),
        "X-Session-Id": bool(seen["session"]),
    }
    missing = [header for header, there in wanted.items() if not there]
    if missing:
        raise BenchError(f"{name} did not send {', '.join(missing)} to the upstream, which saw {seen}.")

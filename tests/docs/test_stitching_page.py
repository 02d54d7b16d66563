"""What docs/stitching.md says is true: its numbers, its methods and its reasons."""

import re
from pathlib import Path

from tracer_proxy import limits
from tracer_proxy.dataplane.shared_memory import COLOR_TABLE_BYTES, ID_TABLE_BYTES, MARK_TABLE_BYTES
from tracer_proxy.limits import MiB
from tracer_proxy.routing.run_prefix import split_run
from tracer_proxy.telemetry.catalogue import Join, JoinMiss

PAGE = (Path(__file__).parents[2] / "docs" / "stitching.md").read_text("utf-8")


def test_the_numbers_are_those_of_the_limits() -> None:
    for buckets, size in (
        (limits.STITCH_BUCKETS, ID_TABLE_BYTES),
        (limits.MARK_BUCKETS, MARK_TABLE_BYTES),
        (limits.COLOR_BUCKETS, COLOR_TABLE_BYTES),
    ):
        entries = f"{8 * buckets:,}".replace(",", " ")
        assert re.search(rf"\| {entries} of each worker.* {size / MiB:.1f} MiB", PAGE), (entries, size / MiB)
    assert (
        f"{limits.STITCH_MEMORY_S / 3600:g} hours; an MCP call is expected within {limits.MCP_CALL_S_MAX / 60:g} minutes"
        in PAGE
    )
    assert f"a body up to {limits.LOOK_AHEAD_BYTES_MAX // MiB} MiB is" in PAGE
    assert limits.TRACE_AGE_S_MAX == 3600
    assert f"an hour old or has {limits.TRACE_STEPS_MAX} steps" in PAGE


def test_methods_and_reasons_are_those_that_are_counted() -> None:
    told = set(re.findall(r"`(\w+)` \|$|`(\w+)`, `(\w+)` \|$", PAGE, re.MULTILINE))
    methods = {name for names in told for name in names if name} - {"joined_by"}
    assert methods == {Join.RUN, Join.RESPONSE_ID, Join.TOOL_CALL, Join.CONVERSATION, Join.MCP_CALL, Join.NEW}
    reasons = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(reasons) == set(map(str, JoinMiss))


def test_the_url_of_a_run_is_one() -> None:
    path = re.findall(r"OPENAI_BASE_URL=http://127.0.0.1:8080(\S+)", PAGE)[0]
    assert split_run(path.encode()) == (b"run-42", b"/openai/v1")

"""What docs/logs.md and the part of docs/admin.md about exchanges show is what the proxy makes of such exchanges."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from live_admin import live_admin
from record_cases import SECRET, model_call, record, turn

from tracer_proxy import limits
from tracer_proxy.config.load import load_text
from tracer_proxy.control import exchange_log
from tracer_proxy.telemetry.exchange_log import line_of

DOCS = Path(__file__).parents[2] / "docs"
LOGS, ADMIN = (DOCS / "logs.md").read_text(), (DOCS / "admin.md").read_text()
EXAMPLES = re.findall(r"^```text\n\$ tracer-proxy (.*?)\n(.*?)^```", ADMIN, re.MULTILINE | re.DOTALL)
START_S = 60.0
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TRACER_PROXY_ADMIN_TOKEN"} | {"TZ": "UTC"}


def fenced(language: str, page: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_the_line_is_as_shown() -> None:
    (shown,) = fenced("json", LOGS)
    assert list(json.loads(shown).items()) == list(line_of(model_call(1, 0.2)).items())


def test_the_config_turns_it_on() -> None:
    (example,) = fenced("yaml", LOGS)
    assert load_text(example, "logs.md", {}).log.exchanges == "/var/log/tracer-proxy/exchanges.jsonl"


def test_there_is_an_example_of_lines_and_one_of_a_tree() -> None:
    assert [shlex.split(command)[:2] for command, _ in EXAMPLES] == [["tail", "--last"], ["tail", "--trace"]]


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
async def test_the_command_prints_what_is_shown(command: str, shown: str) -> None:
    async with live_admin() as admin:
        for each in turn():
            admin.live.take(each)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tracer_proxy", *shlex.split(command), "--admin", admin.url),
            stdout=asyncio.subprocess.PIPE,
            env=ENVIRONMENT,
        )
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            printed = b"".join([await process.stdout.readline() for _ in shown.splitlines()])
        if process.returncode is None:
            process.kill()
        await process.communicate()
    assert printed.decode() == shown


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, a package of every distribution")
def test_the_questions_are_answered(tmp_path: Path) -> None:
    lines = [line_of(each) for each in [*turn(), record(status=503)]]
    (tmp_path / "exchanges.jsonl").write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    answers = [
        subprocess.run(shlex.split(line), cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for line in fenced("sh", LOGS)[0].splitlines()
    ]
    assert answers[0] == "2026-01-01T00:00:00.000000Z\tplanner\t503\n"
    assert '"tokens": 90' in answers[1]


async def test_the_requests_are_answered(tmp_path: Path) -> None:
    """With curl's own words, but for the port and the stream, which would go on."""
    block = next(block for block in fenced("sh", ADMIN) if "/api/exchanges" in block)
    async with live_admin() as admin:
        for each in [*turn(), record(status=503)]:
            admin.live.take(each)
        shown = []
        for line in block.splitlines():
            words = shlex.split(line.replace("localhost:8081", f"127.0.0.1:{admin.port}"))
            process = await asyncio.create_subprocess_exec(
                *words, "--silent", "--max-time", "2", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            shown.append((await process.communicate())[0].decode())
    assert [len(json.loads(answer)["exchanges"]) for answer in shown[:2]] == [1, 4]
    assert shown[2].count("event: exchange\n") == 2
    assert SECRET not in "".join(shown)


def test_the_figures_are_those_of_the_code() -> None:
    assert f"Up to {limits.LOG_QUEUE_BYTES_MAX // limits.MiB} MiB of lines wait" in LOGS
    assert f"cut after {limits.LOG_VALUE_CHARS_MAX}\ncharacters" in LOGS
    assert f"the last {limits.LIVE_RECORDS_MAX} exchanges" in ADMIN
    assert f"Up to {limits.LIVE_STREAMS_MAX} streams" in ADMIN
    assert f"how many, {limits.LIVE_SHOWN} when left out" in ADMIN
    assert f"the last N, {limits.TAIL_LAST} when left out" in ADMIN
    assert f"up to {limits.RECENT_RECORDS_PER_S} a second of each worker" in ADMIN
    assert limits.LIVE_KEEPALIVE_S == 10
    assert "mode 0640" in LOGS
    assert exchange_log._OWNER_WRITES_AND_GROUP_READS == 0o640

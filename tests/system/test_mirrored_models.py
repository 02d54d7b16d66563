"""Calls of a model, copied and compared, by a proxy of two workers as it is run, against the bundled mock."""

import asyncio
from pathlib import Path

from harness import WAIT_S
from openai import AsyncOpenAI
from proxy_process import ProxyProcess, proxy_process
from test_metrics import Samples, scraped

CONFIG = """
version: 1
proxy: {listen: 127.0.0.1:0, workers: 2}
admin: {listen: 127.0.0.1:0}
routes:
  - name: llm
    match: {path: /openai}
    rewrite: {prefix: /}
    llm: {api: openai, mode: local}
    mirror: {lane: shadow, compare: true}
    lanes: [{name: stable, pool: p}, {name: shadow, pool: p, weight: 0}]
pools: {p: {endpoints: [http://127.0.0.1:1]}}
mocks: {llm: {listen: 127.0.0.1:0}}
"""
CALLS = 6
SHADOW = {"route": "llm", "lane": "shadow"}


async def all_compared(running: ProxyProcess) -> Samples:
    async with asyncio.timeout(WAIT_S):
        while True:
            found = await scraped(running)
            if found.get("tracer_proxy_mirror_pairs_total", **SHADOW) == 2 * CALLS:
                return found
            await asyncio.sleep(0.1)


async def test_each_call_is_compared_with_its_copy_and_paid_once(tmp_path: Path) -> None:
    """The mock gives the same answer to the same question, so whatever differs is the mirror's fault."""
    async with (
        proxy_process(CONFIG, tmp_path) as running,
        AsyncOpenAI(base_url=f"http://127.0.0.1:{running.port}/openai/v1", api_key="any", max_retries=0) as client,
    ):
        tokens = 0
        for number in range(CALLS):
            question = [{"role": "user", "content": f"What is {number} and {number}?"}]
            whole = await client.chat.completions.create(model="gpt-4o", messages=question)  # type: ignore[arg-type]
            assert whole.usage is not None
            stream = await client.chat.completions.create(  # type: ignore[call-overload]
                model="gpt-4o", messages=question, stream=True, stream_options={"include_usage": True}
            )
            last = [chunk async for chunk in stream][-1]
            tokens += whole.usage.total_tokens + last.usage.total_tokens
        found = await all_compared(running)
    assert found.get("tracer_proxy_mirror_pairs_total", status="same", **SHADOW) == 2 * CALLS
    assert found.get("tracer_proxy_mirrored_total", outcome="200", **SHADOW) == 2 * CALLS
    assert found.get("tracer_proxy_not_mirrored_total") == 0
    for side in ("original", "copy"):
        assert found.get("tracer_proxy_mirror_tokens_total", side=side, **SHADOW) == tokens
        assert found.get("tracer_proxy_mirror_duration_seconds_count", side=side, **SHADOW) == 2 * CALLS
    assert found.get("gen_ai_client_token_usage_sum") == tokens, "copies cost nobody anything here"
    assert found.get("tracer_proxy_exchanges_total") == 2 * CALLS

"""The pure parts of the scenarios, and each helper program once."""

import asyncio
import json
import sys
from xml.etree import ElementTree

import pytest
from harness import WAIT_S

from bench import growth, plot
from bench.latency import NONE
from bench.latency import _row as latency_row
from bench.listeners import Heard
from bench.load import LoadResult
from bench.origin import EVENTS
from bench.processes import free_addresses
from tracer_proxy.config.load import load_text


@pytest.mark.parametrize(("routes", "workers"), [(0, 1), (10, 2), (1000, 1)])
def test_generated_configs_load(routes: int, workers: int) -> None:
    names = ("BENCH_LISTEN", "BENCH_ADMIN", "BENCH_STABLE", "BENCH_CANARY")
    environ = {name: f"127.0.0.1:{port}" for port, name in enumerate(names, 1)}
    config = load_text(growth.config(routes, workers), "bench.yaml", environ)
    assert (len(config.routes), config.proxy.workers) == (max(routes, 1), workers)


def test_latency_is_told_against_nothing_and_against_nginx() -> None:
    found = {name: [LoadResult(1, 1.0, p50, 2 * p50, {})] for name, p50 in ((NONE, 0.02), ("nginx", 0.05), ("x", 0.08))}
    assert latency_row(found, "x") == ("x", "80", "160", "60", "120", "1.60×", "2.00×")


def test_late_events_are_counted_by_how_late_they_are() -> None:
    heard = Heard()
    for late_ms in (1, 60, 300, 1500):
        heard.event(10.0, 10.0 + late_ms / 1000)
    assert (heard.events, heard.late) == (4, [3, 2, 1])
    assert round(heard.worst_ms) == 1500


def test_the_picture_has_a_bar_for_each_proxy_and_longer_ones_for_dearer() -> None:
    root = ElementTree.fromstring(plot.picture({"nginx": 21.0, "tracer-proxy": 48.0, "litellm": 11000.0}))
    bars = [float(rect.attrib["width"]) for rect in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert bars == sorted(bars)
    assert len(bars) == 3
    assert max(bars) < plot.WIDTH - plot.LEFT


async def test_listeners_hear_every_event_of_the_origin() -> None:
    (address,) = free_addresses(1)
    origin = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.origin", address)
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection(*address.split(":"))
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        listeners = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.listeners", address, "50"), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await listeners.communicate()
    finally:
        origin.kill()
        await origin.wait()
    heard = json.loads(said)
    assert (heard["events"], heard["out_of_order"], heard["ended"]) == (50 * EVENTS, 0, 50)

"""The tight loop serves what it says it serves: a scenario that only fails would look very fast."""

import pytest

from bench.hot_path import SCENARIOS, Bench, scenario_requests


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_every_scenario_is_served(scenario: str) -> None:
    bench = Bench(routes=3)
    for request in scenario_requests(scenario)[:20]:
        bench.serve(request)
    bench.worker.clock.stop()
    report = bench.worker.report()
    assert report["exchanges"] == 20
    assert report["errors"] == {}
    assert report["under_way"] == 0

"""The tight loop serves what it says it serves: a scenario that only fails would look very fast."""

import pytest

from bench.hot_path import SCENARIOS, Bench, Setting, scenario_requests
from tracer_proxy.dataplane import metering
from tracer_proxy.telemetry import catalogue


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_every_scenario_is_served(scenario: str) -> None:
    bench = Bench(Setting(routes=3, judged=scenario == "same", ruled=scenario == "same"))
    for request in scenario_requests(scenario)[:20]:
        bench.serve(request)
    bench.worker.clock.stop()
    counted = metering.take(bench.worker)["added"]
    answered = [(labels[-1], count) for name, labels, count in counted if name == catalogue.EXCHANGES.name]
    assert {status for status, _ in answered} == {"200"}
    assert sum(count for _, count in answered) == 20
    assert bench.worker.report()["under_way"] == 0

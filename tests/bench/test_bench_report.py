"""Medians, spread, ratios and the table."""

import json

from bench.load import FAILURE_KINDS, LoadResult
from bench.measure import Measurement
from bench.report import as_json, cpu_us, markdown, ratio, table, warnings

NONE = dict.fromkeys(FAILURE_KINDS, 0)


def measured(cpu: float, requests: int = 80_000, errors: int = 0, disturbance: float = 0.0) -> Measurement:
    load = LoadResult(
        requests=requests, seconds=8.0, p50_ms=1.0, p99_ms=2.0, failures={**NONE, "status": errors, "timeout": errors}
    )
    return Measurement(load, cpu_us=cpu, core_share=0.98, disturbance=disturbance, memory_bytes=6 * 2**20)


def test_ratio_pairs_the_rounds() -> None:
    """Round two ran on a machine twice as slow; both slowed down alike, so the ratio does not see it."""
    rounds = {"mine": [measured(30), measured(60), measured(33)], "nginx": [measured(20), measured(40), measured(22)]}
    assert ratio(rounds, "mine", cpu_us) == 1.5


def test_ratio_is_left_out_without_nginx() -> None:
    rounds = {"mine": [measured(30)]}
    assert ratio(rounds, "mine", cpu_us) is None
    assert "×" not in table(rounds)


def test_row_shows_median_and_spread() -> None:
    rounds = {"nginx": [measured(20, requests=320_000), measured(25, requests=240_000), measured(22, requests=280_000)]}
    cells = [cell.strip() for cell in table(rounds).splitlines()[2].split("|")[1:-1]]
    assert cells[:6] == ["nginx", "35,000", "30,000–40,000", "22.0", "20.0–25.0", "98%"]
    assert cells[6:] == ["1.00", "2.00", "6.0", "0", "1.00×", "1.00×"]


def test_cheapest_stands_first_whatever_the_order_of_play() -> None:
    rounds = {"slow": [measured(200)], "quick": [measured(20)]}
    assert [line.split()[1] for line in table(rounds).splitlines()[2:]] == ["quick", "slow"]


def test_markdown_columns_are_aligned() -> None:
    lines = markdown([("proxy", "req/s"), ("a", "1"), ("longer-name", "1,000,000")]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1] == "| :---------- | --------: |"


def test_disturbed_and_failing_rows_are_called_out() -> None:
    found = warnings({"calm": [measured(20)], "disturbed": [measured(20, disturbance=0.3)], "bad": [measured(20, errors=4)]})
    assert len(found) == 2
    assert found[0].startswith("disturbed: other work took up to 30% of a core")
    assert found[1].startswith("bad: errors (4 status, 4 timeout)")


def test_json_holds_medians_and_every_round() -> None:
    result = json.loads(json.dumps(as_json({"nginx": [measured(20), measured(22), measured(30)]})))
    assert result["nginx"]["cpu_us_per_exchange"] == 22
    assert [each["cpu_us"] for each in result["nginx"]["rounds"]] == [20, 22, 30]

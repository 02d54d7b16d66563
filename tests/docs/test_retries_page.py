"""What docs/retries.md shows is true: its example loads, and its figures are those of the code."""

import re
from pathlib import Path

from tracer_proxy import limits
from tracer_proxy.config.load import load_text
from tracer_proxy.config.routes import PoolLimits, Retries
from tracer_proxy.config.schema import ProxyLimits
from tracer_proxy.config.values import show_duration
from tracer_proxy.routing.retry import OUTCOMES

PAGE = (Path(__file__).parents[2] / "docs" / "retries.md").read_text()


def test_the_example_loads() -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert load_text(example, "retries.md", {}).pools["openai"].failover == ("own-model",)


def test_the_defaults_are_as_told() -> None:
    told = {key: default.strip() for key, default in re.findall(r"^\| `(\w+)` \|([^|]*)\|", PAGE, re.MULTILINE)}
    retries = Retries()
    assert told == {
        "attempts": str(retries.attempts),
        "per_try": "",
        "backoff": show_duration(retries.backoff),
        "backoff_max": show_duration(retries.backoff_max),
        "budget": f"{retries.budget:g}",
    }
    assert retries.on == ("connect",)
    assert all(f"`{outcome}`" in PAGE for outcome in OUTCOMES.values())


def test_the_limits_are_as_told() -> None:
    for key, bound in ProxyLimits():
        if key in ("exchanges", "connections"):
            assert re.search(rf"`proxy\.limits\.{key}`[^|]*\| {bound:_} \|".replace("_", " "), PAGE)
    for key, bound in PoolLimits():
        assert re.search(rf"`pools\.\*\.limits\.{key}`[^|]*\| {bound:_} \|".replace("_", " "), PAGE)
    assert f"{limits.REPLAY_BYTES_MAX // limits.KiB} KiB per request" in PAGE
    assert f"{limits.HELD_BODIES_BYTES_MAX // limits.MiB} MiB in all" in PAGE

"""What docs/mirroring.md says is true: its example mirrors, its figures, metrics and reasons are those of the code."""

import re
from pathlib import Path

from tracer_proxy import limits
from tracer_proxy.config.load import load_text
from tracer_proxy.config.routes import Mirror
from tracer_proxy.config.values import show_duration
from tracer_proxy.dataplane.copies import ANSWER_TOO_LARGE, TIMEOUT
from tracer_proxy.telemetry.catalogue import GROUPS, METRICS, NotMirrored, Pairing

PAGE = (Path(__file__).parents[2] / "docs" / "mirroring.md").read_text()


def test_the_example_mirrors() -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (route,) = load_text(example, "mirroring.md", {}).routes
    assert route.mirror is not None
    assert (route.mirror.lane, route.mirror.percent, route.mirror.compare) == ("shadow", 10, True)


def test_the_defaults_are_as_told() -> None:
    told = {key: default.strip() for key, default in re.findall(r"^\| `(\w+)` \|([^|]*)\|", PAGE, re.MULTILINE)}
    mirror = Mirror(lane="shadow")
    shown = {
        "percent": f"{mirror.percent:g}",
        "compare": str(mirror.compare).lower(),
        "timeout": show_duration(mirror.timeout),
    }
    assert {key: told[key] for key in Mirror.model_fields} == {"lane": "", **shown}


def test_the_bounds_are_as_told() -> None:
    for bound, counted in (
        (f"{limits.MIRROR_BODY_BYTES_MAX // limits.MiB} MiB", NotMirrored.BODY_TOO_LARGE),
        (f"{limits.MIRROR_HELD_BYTES_MAX // limits.MiB} MiB", NotMirrored.MEMORY),
        (f"{limits.MIRROR_COPIES_MAX}", NotMirrored.BUSY),
        (f"{limits.MIRROR_ANSWER_BYTES_MAX // limits.MiB} MiB", f"outcome `{ANSWER_TOO_LARGE}"),
    ):
        assert re.search(rf"\| {bound} \| `?{counted}` \|", PAGE), counted
    assert f"`{TIMEOUT}`" in PAGE


def test_all_that_is_counted_is_told() -> None:
    names = [metric.name for title, group in GROUPS if title == "Mirroring" for metric in group]
    assert [name for name in (*names, *NotMirrored, *Pairing) if f"`{name}`" not in PAGE] == []
    parts = {f"{name}{end}" for name in METRICS for end in ("", "_sum")}
    assert set(re.findall(r"\btracer_proxy_\w*mirror\w+", PAGE)) <= parts

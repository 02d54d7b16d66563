"""What becomes of rollouts that are under way when the config changes, or when control finds what another one has left."""

from collections.abc import Mapping

import msgspec
import pytest

from tracer_proxy.config.load import read_text
from tracer_proxy.config.schema import Config
from tracer_proxy.control.config_in_force import InForce, fingerprints
from tracer_proxy.control.events import Events
from tracer_proxy.control.rollout_file import Kept, decode, encode
from tracer_proxy.control.rollouts import Rollouts
from tracer_proxy.rollout.course import Course, Status
from tracer_proxy.telemetry.totals import Totals

FILE = """\
version: 1
routes:
  - name: planner
    lanes:
      - {name: stable, pool: a}
      - {name: canary, pool: b, weight: 0, colors: [canary]}
      - {name: next, pool: c}
pools:
  a: {endpoints: [http://127.0.0.1:18791]}
  b: {endpoints: [http://127.0.0.1:18792]}
  c: {endpoints: [http://127.0.0.1:18793]}
rollouts:
  v2: {route: planner, lane: canary, steps: [10, 100], judge: {max_error_rate: {absolute: 0.05}}}
"""
WITHOUT_NEXT = FILE.replace("      - {name: next, pool: c}\n", "")


class Said(Events):
    def __init__(self) -> None:
        self.names: list[str] = []

    def write(self, event: str, level: str = "info", message: str = "", **fields: object) -> None:
        self.names.append(event)


def config(text: str) -> Config:
    return read_text(text, "f.yaml", {}, None).config


def rollouts(said: Said | None = None) -> Rollouts:
    return Rollouts(said or Said(), Totals(), monotonic=lambda: 0.0)


def under_way(text: str = FILE, left: str = "") -> Rollouts:
    made = rollouts()
    made.begin(config(text), left)
    return made


def in_force(text: str, made: Rollouts) -> Mapping[str, float]:
    """Weights by lane, of the table that workers would get."""
    loaded = read_text(text, "f.yaml", {}, None)
    table = InForce(text, loaded, "", fingerprints(loaded.config), {}, made.traffic()).table()
    return {lane.name: lane.weight for lane in table.routes[0].split.lanes}


def test_weights_set_by_hand_go_with_a_lane_that_goes() -> None:
    made = under_way()
    made.set_by_hand("planner", {"stable": 0.0, "canary": 0.0, "next": 1.0})
    made.tried(config(WITHOUT_NEXT))
    assert in_force(FILE, made) == {"stable": 0, "canary": 0, "next": 1}
    left = made.left()
    made.configure(config(WITHOUT_NEXT))
    assert in_force(WITHOUT_NEXT, made) == {"stable": 90, "canary": 10}
    assert in_force(WITHOUT_NEXT, under_way(WITHOUT_NEXT, left)) == {"stable": 90, "canary": 10}
    assert made.shown("v2")["status"] == "paused"


def test_that_they_go_is_said_once() -> None:
    said = Said()
    made = rollouts(said)
    made.begin(config(FILE), "")
    made.set_by_hand("planner", {"stable": 1.0, "canary": 0.0, "next": 1.0})
    for _ in range(2):
        made.configure(config(WITHOUT_NEXT))
    assert said.names.count("weights_lost") == 1


def test_weights_set_by_hand_stay_where_the_lanes_do() -> None:
    made = under_way()
    made.set_by_hand("planner", {"stable": 2.0, "canary": 1.0, "next": 1.0})
    made.configure(config(FILE.replace("name: next, pool: c", "name: next, pool: c, weight: 5")))
    assert in_force(FILE, made) == {"stable": 2, "canary": 1, "next": 1}


B = "b: {endpoints: [http://127.0.0.1:18792]"
BACKENDS = {
    "the lane's pool": (FILE, FILE.replace("pool: b", "pool: c")),
    "the baseline's pool": (FILE, FILE.replace("pool: a", "pool: c")),
    "an endpoint of the lane": (FILE, FILE.replace(":18792", ":18799")),
    "an endpoint of the baseline": (FILE, FILE.replace(":18791", ":18799")),
    "one endpoint more": (FILE, FILE.replace(":18792", ":18792, http://127.0.0.1:18799")),
    "who stands in": (FILE, FILE.replace(B, f"{B}, failover: c")),
    "an endpoint of who stands in": (
        FILE.replace(B, f"{B}, failover: c"),
        FILE.replace(B, f"{B}, failover: c").replace(":18793", ":18799"),
    ),
}
OTHERS = {
    "an endpoint of another lane": FILE.replace(":18793", ":18799"),
    "a weight in the file": FILE.replace("name: next, pool: c", "name: next, pool: c, weight: 5"),
    "who is told": FILE.replace("route: planner", "route: planner, notify: {webhook: 'http://127.0.0.1:1/'}"),
}


@pytest.mark.parametrize(("before", "after"), BACKENDS.values(), ids=BACKENDS)
def test_another_backend_is_another_release(before: str, after: str) -> None:
    made = under_way(before)
    made.act("v2", "promote", "li", "")
    assert made.tried(config(after))[1] == {"v2": "begins"}
    made.configure(config(after))
    found = made.shown("v2")
    assert (found["status"], found["step"], found["history"][-1]["by"]) == ("running", 1, "config")
    assert in_force(after, made)["canary"] == 10


@pytest.mark.parametrize("after", OTHERS.values(), ids=OTHERS)
def test_what_the_lanes_are_not_made_of_changes_nothing(after: str) -> None:
    made = under_way()
    made.act("v2", "promote", "li", "")
    made.configure(config(after))
    assert made.shown("v2")["status"] == "promoted"


@pytest.mark.parametrize(
    "wrong",
    [
        {"by_hand": {"stable": 0.0, "canary": 0.0, "next": 0.0}},
        {"by_hand": {"stable": 3.0, "canary": -1.0, "next": 0.0}},
        {"by_hand": {"stable": 3.0}},
        {"percent": -10.0},
        {"percent": 1000.0},
        {"status": "switched", "step": 7},
        {"status": "switched"},
    ],
)
def test_what_was_left_cannot_keep_the_proxy_from_starting(wrong: dict[str, object]) -> None:
    course = msgspec.to_builtins(Course(Status.RUNNING, percent=10.0)) | wrong
    fingerprint = decode(under_way().left().encode())["v2"].fingerprint
    kept = {"v2": Kept(fingerprint, msgspec.convert(course, Course))}
    weights = in_force(FILE, under_way(left=encode(kept).decode()))
    assert weights["canary"] == 10
    assert min(weights.values()) >= 0

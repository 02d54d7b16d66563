"""The config that the proxy runs by: read, checked against what cannot change while it runs, and made into a table."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tracer_proxy.config.compile import DEFAULT_MOCK_LLM, compile_settings, compile_table
from tracer_proxy.config.load import Loaded
from tracer_proxy.config.schema import Config
from tracer_proxy.config.tls import watched_files
from tracer_proxy.control.watch import fingerprint
from tracer_proxy.control.weights import Weights, told, with_weights
from tracer_proxy.dataplane.load import Load
from tracer_proxy.errors import ConfigError, Problem
from tracer_proxy.rollout.traffic import Traffic
from tracer_proxy.routing.table import Table


@dataclass(frozen=True)
class InForce:
    """``text`` is the file as it was read; ``overrides`` are the weights set over the admin API, by route,
    and ``rollouts`` what rollouts make of it."""

    text: str
    loaded: Loaded
    mock_llm: str
    files: tuple[str, ...]
    """Fingerprints of the certificates and the like that were read with it; what they hold by now may be something else."""
    overrides: Mapping[str, Weights] = field(default_factory=dict)
    rollouts: Mapping[str, Traffic] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """With the weights that hold now."""
        return with_weights(self.loaded.config, self.overrides, self.rollouts)

    @property
    def version(self) -> str:
        """Twelve hex digits that are the same for the same config and certificates, wherever they run."""
        return hashlib.sha256(repr((self.config.model_dump(), self.files, self.mock_llm)).encode()).hexdigest()[:12]

    @property
    def whose_weights(self) -> dict[str, list[str]]:
        """By route, in words, where they are not the file's."""
        return told(self.loaded.config, self.overrides, self.rollouts)

    def table(self) -> Table:
        return compile_table(self.config, self.mock_llm or DEFAULT_MOCK_LLM)

    def load(self) -> Load:
        """A table that nobody has routed by yet: one that has remembers lines of heads."""
        table = self.table()
        table.version = self.version
        return Load(self.version, table, compile_settings(self.config.proxy))

    def with_override(self, route: str, weights: Weights) -> "InForce":
        return replace(self, overrides={**self.overrides, route: weights})

    def succeeded_by(self, text: str, loaded: Loaded) -> "InForce":
        """The config of a changed file. Weights that were set stay where the lanes of their route are as they were.

        Raises ``ConfigError`` for what only a restart can change.
        """
        problems = list(_fixed(self.loaded.config, loaded))
        if problems:
            raise ConfigError(problems)
        before = {route.name: route.lanes for route in self.loaded.config.routes}
        after = {route.name: route.lanes for route in loaded.config.routes}
        kept = {name: weights for name, weights in self.overrides.items() if after.get(name) == before[name]}
        rolled = {rollout.route for rollout in loaded.config.rollouts.values()}
        for rollout in self.loaded.config.rollouts.values():
            if rollout.route not in rolled:
                kept.pop(rollout.route, None)
        return replace(self, text=text, loaded=loaded, files=fingerprints(loaded.config), overrides=kept)


def fingerprints(config: Config) -> tuple[str, ...]:
    """Of the files that a config names, as they are now."""
    return tuple(each.hex() for each in fingerprint(watched_files(config)))


def _fixed(before: Config, loaded: Loaded) -> list[Problem]:
    """What is bound to sockets: they are opened once, so that no process can lose them."""
    after = loaded.config
    pairs = {
        ("proxy", "listen"): (before.proxy.listen, after.proxy.listen),
        ("proxy", "tls"): (before.proxy.tls is None, after.proxy.tls is None),
        ("admin", "listen"): (before.admin and before.admin.listen, after.admin and after.admin.listen),
        ("mocks", "llm", "listen"): (before.mocks.llm and before.mocks.llm.listen, after.mocks.llm and after.mocks.llm.listen),
    }
    message = "where it listens, and whether with TLS, cannot change while it runs; restart to change it"
    return [loaded.document.problem(place, message) for place, (old, new) in pairs.items() if old != new]

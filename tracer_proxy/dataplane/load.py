"""What control hands to a worker."""

from dataclasses import dataclass

from tracer_proxy.dataplane.settings import Settings
from tracer_proxy.routing.table import Table


@dataclass(frozen=True, slots=True)
class Load:
    """``version`` names the config it was made from, so that a control that starts anew knows what its workers route by."""

    version: str
    table: Table
    settings: Settings

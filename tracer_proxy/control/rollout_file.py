"""What rollouts have come to, in a file that outlives the proxy: ``rollouts.json`` in the state folder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tracer_proxy.limits import ROLLOUT_FILE_BYTES_MAX
from tracer_proxy.rollout.course import Course

NAME = "rollouts.json"
_FORMAT = "tracer-proxy rollouts 1"


class Kept(Struct, frozen=True):
    """``fingerprint`` is that of the plan that the course follows."""

    fingerprint: str
    course: Course


class _Document(Struct, frozen=True):
    format: str
    rollouts: dict[str, Kept]


class Unreadable(ValueError):
    """What is there is not what was written. One clause that says why."""


def encode(rollouts: Mapping[str, Kept]) -> bytes:
    return msgspec.json.encode(_Document(_FORMAT, dict(rollouts)))


def decode(content: bytes) -> Mapping[str, Kept]:
    """Raises ``Unreadable``."""
    try:
        document = msgspec.json.decode(content, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"it does not hold rollouts ({error})") from None
    if document.format != _FORMAT:
        raise Unreadable(f"it is {document.format!r}, not {_FORMAT!r}")
    return document.rollouts


@dataclass(frozen=True)
class RolloutFile:
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / NAME

    def read(self) -> Mapping[str, Kept]:
        """Nothing where there is no file. Raises ``Unreadable``, and ``OSError`` but for a file that is missing."""
        try:
            with self.path.open("rb") as file:
                content = file.read(ROLLOUT_FILE_BYTES_MAX + 1)
        except FileNotFoundError:
            return {}
        if len(content) > ROLLOUT_FILE_BYTES_MAX:
            raise Unreadable(f"it has more than {ROLLOUT_FILE_BYTES_MAX} bytes")
        return decode(content)

    def put_aside(self) -> Path:
        """Where somebody can look at it. Raises ``OSError``."""
        aside = self.path.with_suffix(".bad.json")
        self.path.replace(aside)
        return aside

    def write(self, content: bytes) -> None:
        """All or nothing, whenever the power goes. Raises ``OSError``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new.json")
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def to_plain(found: object) -> Any:
    """Fits into JSON."""
    return msgspec.to_builtins(found)

"""A config file, checked: ``load`` gives a ``Config`` or raises ``ConfigError`` with every problem at its line and column."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tracer_proxy.config import certificates, parse, profiles, references, rollout_references, salvage
from tracer_proxy.config.document import Document
from tracer_proxy.config.nodes import Location
from tracer_proxy.config.schema import Config
from tracer_proxy.errors import ConfigError, Problem
from tracer_proxy.limits import CONFIG_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Loaded:
    """A config that is valid, and its document: ``document.problem(location, message)`` is a problem found later."""

    config: Config
    document: Document


def load(path: Path, environ: Mapping[str, str], profile: str | None = None) -> Config:
    """The config in a file, with variables from ``environ`` and the named profile laid over it."""
    return read(path, environ, profile).config


def load_text(text: str, file_name: str, environ: Mapping[str, str], profile: str | None = None) -> Config:
    """As ``load``, from text; ``file_name`` is for messages."""
    return read_text(text, file_name, environ, profile).config


def read(path: Path, environ: Mapping[str, str], profile: str | None = None) -> Loaded:
    """As ``load``, with the places of all values."""
    return read_text(text_of(path), str(path), environ, profile)


def read_text(
    text: str, file_name: str, environ: Mapping[str, str], profile: str | None = None, *, files: bool = True
) -> Loaded:
    """As ``load_text``, with the places of all values; ``files=False`` does not look into the files that it names."""
    root, problems = parse.parse(text, file_name)
    chosen, profile_problems = profiles.choose(root, profile, file_name)
    document = Document(chosen, environ, file_name)
    salvaged = salvage.validate(document)
    problems += profile_problems + document.problems + salvaged.problems
    if salvaged.config:
        problems += _reference_problems(salvaged.config, document, salvaged.unusable, files=files)
    if problems or salvaged.config is None:
        raise ConfigError(_in_order(problems))
    return Loaded(salvaged.config, document)


def text_of(path: Path) -> str:
    """What stands in a file. Raises ``ConfigError`` if it cannot be read or is not UTF-8."""
    try:
        with path.open("rb") as file:
            content = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError([Problem("", f"cannot read the file: {error.strerror}", str(path))]) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        message = "the file is not UTF-8 text; save it as UTF-8"
        raise ConfigError([Problem("", message, str(path), line, column)]) from None


def _reference_problems(config: Config, document: Document, unusable: set[Location], *, files: bool) -> list[Problem]:
    """What does not fit together, save where it only follows from a problem with a single key."""
    spoiled = {place[:length] for place in unusable for length in range(len(place) + 1)}
    found = []
    complaints = [*references.complaints(config), *rollout_references.complaints(config)]
    for complaint in [*complaints, *(certificates.complaints(config) if files else ())]:
        follows = any(salvage.is_unusable(place, unusable) for place in (complaint.location, *complaint.rests_on))
        if not follows and complaint.location not in spoiled:
            found.append(document.problem(complaint.location, complaint.message))
    return found


def _in_order(problems: list[Problem]) -> list[Problem]:
    """By place, each once: what an alias brings in at several paths is mended in one place."""
    distinct = {(problem.line, problem.column, problem.message): problem for problem in reversed(problems)}
    return sorted(distinct.values(), key=lambda problem: (problem.line, problem.column, problem.message))

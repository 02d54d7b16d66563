"""The reference in ``docs/configuration.md``: what is written by hand in ``reference.md``, then a table for each section.

Run as a module, it prints the whole: ``python -m tracer_proxy.config.reference > docs/configuration.md``.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from tracer_proxy.config.part import Part, bare, items_of, keys_of, part_of
from tracer_proxy.config.schema import Config
from tracer_proxy.config.values import Form, OneOrMany

_NAME = ".NAME"


def render() -> str:
    """The whole page, as Markdown."""
    by_hand = Path(__file__).with_suffix(".md").read_text("utf-8")
    tables = "\n".join(_table(title, section) for title, section in _sections("", Config))
    return f"{by_hand}\n{tables}"


def _sections(path: str, section: type[Part]) -> Iterator[tuple[str, type[Part]]]:
    yield path or "Top level", section
    for key, field in keys_of(section).items():
        if found := _inner(field.annotation, f"{path}.{key}" if path else key):
            yield from _sections(*found)


def _inner(annotation: Any, path: str) -> tuple[str, type[Part]] | None:
    """The section that a key holds, itself or in a list or a mapping, and how to write its path."""
    if section := part_of(annotation):
        return path, section
    item = part_of(items_of(annotation))
    if item is None:
        return None
    return path + ("[]" if get_origin(bare(annotation)) is tuple else _NAME), item


def _table(title: str, section: type[Part]) -> str:
    path = "" if title == "Top level" else title
    rows = [
        f"| `{key}` | {_type(field, f'{path}.{key}' if path else key)} | {_default(field)} | {field.description} |"
        for key, field in keys_of(section).items()
    ]
    return "\n".join(
        [f"## {title}", "", f"{section.__doc__}", "", "| key | type | default | meaning |", "|---|---|---|---|", *rows, ""]
    )


def _type(field: FieldInfo, path: str) -> str:
    if found := _inner(field.annotation, path):
        title, _ = found
        link = f"[section](#{_anchor(title)})"
        return f"list: {link}" if title.endswith("[]") else f"name: {link}" if title.endswith(_NAME) else link
    if any(isinstance(part, OneOrMany) for part in field.metadata):
        return f"{_name_of(items_of(field.annotation), [])}, or a list"
    return _name_of(field.annotation, field.metadata)


def _name_of(annotation: Any, metadata: list[Any]) -> str:
    for part in metadata:
        if isinstance(part, Form):
            return part.name
    if get_origin(annotation) is Annotated:
        return _name_of(get_args(annotation)[0], list(annotation.__metadata__))
    item = items_of(annotation)
    if get_origin(bare(annotation)) is tuple:
        return f"list: {_name_of(item, [])}"
    if item is Any:
        return "mapping"
    if item:
        return f"{_name_of(get_args(bare(annotation))[0], [])}: {_name_of(item, [])}"
    optional = [option for option in get_args(annotation) if option is not type(None)]
    return _name_of(optional[0], []) if optional else "name"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None or field.default in (None, {}):
        return ""
    shown = field.default if isinstance(field.default, tuple) else (field.default,)
    form = next((part for part in field.metadata if isinstance(part, Form)), None)
    return ", ".join(f"`{form.show(value) if form else value}`" for value in shown)


def _anchor(title: str) -> str:
    """How GitHub makes a link target from a heading."""
    return re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.stdout.write(render())

"""What was probably meant."""

import difflib
from collections.abc import Iterable
from itertools import islice

from tracer_proxy.limits import CONFIG_TEXT_SHOWN_MAX

_SHOWN_MAX = 30
_COMPARED_MAX = 100
"""A hint is not worth minutes, which thousands of misspelled names against thousands of known ones would take."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name most like ``word``, if one is like it at all."""
    return next(iter(difflib.get_close_matches(word, list(islice(known, _COMPARED_MAX)), 1, 0.6)), None)


def hint(word: str, known: Iterable[str], kind: str) -> str:
    """The end of a message: ``; did you mean 'listen'?``, or else all there is: ``; keys: listen, workers``."""
    names = list(known)
    if guess := nearest(word, names):
        return f"; did you mean {guess!r}?"
    listed = ", ".join(map(_readable, names[:_SHOWN_MAX])) + (", ..." if len(names) > _SHOWN_MAX else "")
    return f"; {kind}: {listed or 'none'}"


def _readable(name: str) -> str:
    return name if name.isprintable() and 0 < len(name) <= CONFIG_TEXT_SHOWN_MAX else repr(name[:CONFIG_TEXT_SHOWN_MAX])


def alternatives(names: Iterable[str]) -> str:
    """``a, b or c``."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last

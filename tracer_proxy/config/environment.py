"""``${NAME}`` and ``${NAME:-default}`` in values, and ``$${`` for a ``${`` that stands for itself."""

import re
from collections.abc import Callable, Mapping

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_BODY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def substitute(text: str, environ: Mapping[str, str], complain: Callable[[str], None]) -> str:
    """``text`` with variables put in; what cannot be is told to ``complain``, once for each, and left as it stands.

    As in a shell, the default holds for a variable that is unset or empty. Never repeats a variable's value in a complaint.
    """

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        body = _BODY.fullmatch(match[1])
        if not match[2] or not body or "${" in (body[2] or ""):
            complain("'${' starts a variable: write ${NAME} or ${NAME:-default}, or $${ where ${ is meant as it stands")
            return match[0]
        name, default = body[1], body[2]
        value = environ.get(name)
        if value is None and default is None:
            complain(f"the environment variable {name} is not set; set it, or give a default: ${{{name}:-...}}")
            return match[0]
        return value or default or ""

    return _REFERENCE.sub(replace, text)

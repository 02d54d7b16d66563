"""From YAML to frozen tables: schema, load (environment, profiles, positions), compile.

Enters: a file. Leaves: a ``Table`` and settings for the listeners, or a ``ConfigError`` that lists every problem with file,
line and column. The schema is the single source for ``check``, ``schema`` and the reference in ``docs/``. Never: a socket.
"""

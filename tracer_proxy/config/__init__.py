"""From YAML to frozen tables: schema, load (environment, profiles, positions), compile.

Enters: a file. Leaves: a ``Table`` and settings for the listeners, or a ``ConfigError`` that lists every problem with file,
line and column. The schema is the single source for ``check``, ``schema`` and the reference in ``docs/``. Never: a socket.

The way of a file, in order: ``parse`` (YAML to a tree with places), ``profiles`` (one laid over the rest), ``document``
(variables put in; plain data), ``schema`` and ``routes`` (each key alone), ``salvage`` (goes on after an error), ``references``
(between keys), ``compile``. ``load`` calls them; ``complaints`` finds the words.
"""

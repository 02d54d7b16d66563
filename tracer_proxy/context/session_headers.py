"""Headers by which known agents name their session."""

SESSION_HEADERS: frozenset[bytes] = frozenset()

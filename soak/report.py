"""What a soak says: progress, complaints, and a table at the end."""

import time
from collections import Counter

COMPLAINTS_SHOWN_MAX = 20


class Report:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self.done: Counter[str] = Counter()
        """What was done, by kind."""
        self.failed: list[str] = []

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def complain(self, text: str) -> None:
        self.failed.append(f"at {self.seconds:.1f} s: {text}")
        if len(self.failed) <= COMPLAINTS_SHOWN_MAX:
            self.say(f"FAILED {text}")

    def say(self, text: str) -> None:
        print(f"{self.seconds:7.1f} s  {text}", flush=True)

    def close(self, rows: list[tuple[str, object]]) -> int:
        """Prints the table; the exit code."""
        rows = [*rows, *sorted(self.done.items()), ("failures", len(self.failed))]
        width = max(len(name) for name, _ in rows)
        print()
        for name, value in rows:
            print(f"| {name:<{width}} | {value}")
        print("\n" + ("passed" if not self.failed else "FAILED:\n" + "\n".join(self.failed[:COMPLAINTS_SHOWN_MAX])), flush=True)
        return 1 if self.failed else 0

"""Where each value of a configuration was written: a line of the file, or an environment variable."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["KeyPath", "Places"]

KeyPath = tuple[str, ...]
"""Keys that lead to a value, the top one first; positions in lists as text."""


@dataclass(slots=True)
class Places:
    """Where the values of one configuration were written.

    Attributes:
        name: of the file, for people.
        lines: of the file's keys, counted from 1; the empty path is where the file's first key stands.
        origins: which environment variable a value came from.
        inherited: what a camera has from `defaults`, whose lines it has then.
    """

    name: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)
    inherited: set[KeyPath] = field(default_factory=set)

    def of(self, path: KeyPath) -> str:
        """Return where a value was written, or where it should have been: in the nearest key above that was."""
        for above in [path[:length] for length in range(len(path), 0, -1)]:
            if above in self.origins:
                return f"environment variable {self.origins[above]}"
            if above in self.lines:
                return f"{self.name}:{self.lines[above]}"
            parts = [variable for keys, variable in self.origins.items() if keys[: len(above)] == above]
            if parts:
                return f"environment variable {parts[0]}"
        return f"{self.name}:{self.lines[()]}" if () in self.lines else self.name

    def is_inherited(self, path: KeyPath) -> bool:
        """Tell whether a camera's value, or the part that it stands in, comes from `defaults`."""
        known = next((path[:length] for length in range(len(path), 2, -1) if path[:length] in self.lines), ())
        return known in self.inherited

"""What a benchmark says: one JSON object, or the same for people; and a history that grows line by line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskwatch.errors import MaskwatchError
from workers.bench.facts import machine_facts, version_facts

__all__ = ["add_to_history", "as_text", "report"]

_HEAD = ("bench", "machine", "versions", "settings", "profile")


def report(
    bench: str, settings: Mapping[str, Any], figures: Mapping[str, Any], profile: str | None = None
) -> dict[str, Any]:
    """Put the figures of a benchmark together with what they are worth nothing without.

    Args:
        bench: the sub-command.
        settings: its options.
        figures: what it measured, `n`, `median` and `p95` among them.
        profile: of the detector, where one ran.
    """
    return {
        "bench": bench,
        "machine": machine_facts(),
        "versions": version_facts(),
        "settings": dict(settings),
        "profile": profile,
        **figures,
    }


def as_text(said: Mapping[str, Any]) -> str:
    """Return a report for a person: figures first, then on what they were measured."""
    lines = [f"maskwatch bench {said['bench']}"]
    for name, value in said.items():
        if name not in _HEAD:
            lines += _lines(name, value)
    lines.append("")
    lines += [f"profile   {said['profile']}"] if said["profile"] else []
    lines += [f"{name:<9} {_inline(said[name])}" for name in ("settings", "machine", "versions")]
    return "\n".join(lines)


def add_to_history(path: Path, said: Mapping[str, Any]) -> None:
    """Append a report as one line of JSON.

    Raises:
        MaskwatchError: if the file can't be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(said) + "\n")
    except OSError as error:
        raise MaskwatchError(f"--history {path}: can't be written: {error.strerror}; give another file") from error


def _lines(name: str, value: Any, depth: int = 1) -> list[str]:
    space = "  " * depth
    if isinstance(value, Mapping) and any(isinstance(one, Mapping | list) for one in value.values()):
        inner = [line for key, one in value.items() for line in _lines(str(key), one, depth + 1)]
        return [f"{space}{name}", *inner]
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return [f"{space}{name}", *(f"{space}  {_inline(one)}" for one in value)]
    return [f"{space}{name:<20} {_inline(value)}"]


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "  ".join(f"{key} {_inline(one)}" for key, one in value.items())
    if isinstance(value, list):
        return " ".join(_inline(one) for one in value)
    return "-" if value is None else str(value)

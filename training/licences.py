"""Under which licence each source of pictures was published, as far as anybody stated it.

A file `LICENCES` in a data folder or beside it has one source a line, `SOURCE: licence`; lines that begin with `#` are
passed over. What the command line says (`--licence SOURCE=TEXT`) comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from maskwatch.errors import ConfigError
from maskwatch.files import read_file

__all__ = ["NOT_STATED", "licences_of"]

NOT_STATED = "not stated"
MOST_BYTES = 1 << 20


def licences_of(folders: Sequence[Path], sources: Iterable[str], stated: Sequence[str] = ()) -> dict[str, str]:
    """Return the licence of each source, `NOT_STATED` where nobody says.

    Args:
        folders: data folders.
        sources: names of sources.
        stated: "SOURCE=TEXT" each.

    Raises:
        ConfigError: if a statement or a file has another form, or names a source on the command line that isn't there.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for path in (folder.resolve().parent / "LICENCES", folder / "LICENCES"):
            if path.is_file():
                found.update(_read(path))
    names = sorted(set(sources))
    for statement in stated:
        source, mark, text = (part.strip() for part in statement.partition("="))
        if not mark or not text or source not in names:
            raise ConfigError(f"--licence {statement}: expected SOURCE=TEXT with one of the sources {', '.join(names)}")
        found[source] = text
    return {name: found.get(name, NOT_STATED) for name in names}


def _read(path: Path) -> dict[str, str]:
    expected = "expected lines of SOURCE: licence"
    try:
        lines = read_file(path, MOST_BYTES, expected).decode().splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}); {expected}") from error
    found = {}
    for number, line in enumerate(lines, start=1):
        source, mark, text = (part.strip() for part in line.partition(":"))
        if not line.strip() or line.startswith("#"):
            continue
        if not mark or not source or not text:
            raise ConfigError(f"{path}:{number}: expected SOURCE: licence, received {line[:80]!r}")
        found[source] = text
    return found

"""Lists of faces that nobody labelled, checked by eye: finding one of these is no mistake."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import FiniteFloat, TypeAdapter, ValidationError

from maskwatch.errors import ConfigError
from maskwatch.labelled.pictures import Box

__all__ = ["read_unboxed"]

_FORM: TypeAdapter[dict[str, list[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]]]] = TypeAdapter(
    dict[str, list[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]]]
)


def read_unboxed(path: Path) -> dict[str, list[Box]]:
    """Read a list: JSON of a picture's file name to its faces, `{"a.jpg": [[left, top, right, bottom], ...]}`.

    Args:
        path: of the file.

    Returns:
        The boxes in pixels, by file name.

    Raises:
        ConfigError: if it can't be read or has another form.
    """
    expected = "expected JSON of a picture's name to its faces [[left, top, right, bottom], ...]"
    try:
        listed = json.loads(path.read_bytes())
        return dict(_FORM.validate_python(listed))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}); {expected}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(f"{path}: {where}: {first['msg']}; {expected}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON ({error}); {expected}") from error

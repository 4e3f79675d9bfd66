"""How it is said what is wrong with a file's form, where pydantic found it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["first_error"]


def first_error(error: ValidationError) -> str:
    """Return the first thing that is wrong and where it stands: `images.3.id: Input should be a valid integer`.

    What was received isn't in it, as that may be a secret or long. A form that is wrong as a whole is `the file`.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "the file"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"

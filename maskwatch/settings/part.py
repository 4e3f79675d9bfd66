"""What all parts of the configuration have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

__all__ = ["Part", "with_home"]


def with_home(path: Path) -> Path:
    """Return a path with `~` and `~NAME` replaced by home folders.

    Raises:
        ValueError: if there is no such home folder.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(
            f"expected a path, received one below {path.parts[0]}, and there is no such home folder; "
            "write the whole path"
        ) from None


class Part(BaseModel):
    """Some keys that belong together: no others are taken, and nothing is changed once they are read."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_no_truths(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `fps: yes`, which pydantic would take for 1."""
        if isinstance(value, bool) and info.field_name is not None:
            annotation = cls.model_fields[info.field_name].annotation
            kinds = {annotation, *get_args(annotation)}
            if kinds & {int, float} and bool not in kinds:
                raise ValueError(f"expected a number, received {str(value).lower()}")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _homes_are_known(cls, value: Any) -> Any:
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path):
                with_home(path)
        return value

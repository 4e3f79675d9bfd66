"""What jobs may look at, how much of it, and which of them come by themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from maskwatch.settings.part import Part

__all__ = ["JobsSettings", "ReportSettings"]

_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")


class JobsSettings(Part):
    """Limits of jobs about recorded material."""

    folders: tuple[Path, ...] = Field(
        default=(), description="folders below which named files may be looked at; none: uploads only"
    )
    most_upload_mb: int = Field(default=500, ge=1, le=1_000_000, description="MB of one upload")
    most_minutes: float = Field(default=120.0, gt=0, le=100_000, description="length of one video")
    most_pixels: int = Field(default=3840 * 2160, ge=10_000, le=200_000_000, description="of one picture")
    most_files: int = Field(default=5000, ge=1, le=1_000_000, description="pictures and videos of one folder")
    keep_days: float = Field(
        default=7.0, ge=0.01, le=36_500, description="days for which jobs, their uploads and results are kept"
    )
    dir: Path | None = Field(default=None, description="folder of unfinished work; empty: `jobs` in the state folder")


class ReportSettings(Part):
    """The report that comes by itself."""

    every: Literal["daily", "weekly", "never"] = Field(default="never", description="weekly: on Mondays")
    at: str = Field(default="06:00", description="by the clock of web.timezone")
    by: Literal["day", "weekday", "hour", "camera", "zone"] = Field(
        default="day", description="what the first chart shows"
    )

    @field_validator("at", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        # YAML 1.1 reads 18:00 without quotes as a number of base 60: the very minutes that are meant.
        if isinstance(value, int) and not isinstance(value, bool) and (value == 0 or value >= 60):
            return f"{value // 60:02}:{value % 60:02}"
        return value

    @field_validator("at")
    @classmethod
    def _is_clock(cls, value: str) -> str:
        if _CLOCK.fullmatch(value) is None:
            raise ValueError(f"expected a time such as 06:00, received {value[:20]!r}")
        return value

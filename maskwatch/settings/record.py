"""Where the record and the kept files are, and for how long things stay there."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from maskwatch.settings.part import Part, with_home

__all__ = ["BlobsSettings", "StoreSettings"]


class StoreSettings(Part):
    """The record of events and tallies: where it is and for how long things stay in it."""

    url: SecretStr | None = Field(default=None, description="sqlite:///PATH or postgresql://...; empty: in state_dir")
    events_days: float = Field(default=90.0, ge=1, le=36_500, description="days for which events are kept")
    snapshots_days: float = Field(default=30.0, ge=1, le=36_500, description="days for which their pictures are kept")
    tallies_days: float = Field(default=730.0, ge=1, le=36_500, description="days for which numbers of people are kept")

    @field_validator("url")
    @classmethod
    def _is_database(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value is not None else "postgresql://"
        if not text.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("expected a URL that begins with sqlite:/// or postgresql://")
        if text.startswith("sqlite:///"):
            with_home(Path(text.removeprefix("sqlite:///")))
        return value


class BlobsSettings(Part):
    """Where pictures of events and other kept files are."""

    dir: Path | None = Field(default=None, description="folder; empty: `blobs` in the state folder")
    most_mb: int = Field(default=2048, ge=10, le=10_000_000, description="MB of all files; the oldest go first")

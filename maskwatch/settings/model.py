"""The fields of the configuration, each with its unit and bounds."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from maskwatch.errors import ConfigError
from maskwatch.settings.jobs import JobsSettings, ReportSettings
from maskwatch.settings.notify import NotifySettings
from maskwatch.settings.part import Part
from maskwatch.settings.record import BlobsSettings, StoreSettings
from maskwatch.settings.rules import (
    NAME_PATTERN,
    PrivacySettings,
    RuleSettings,
    ZoneSettings,
    check_together,
    rules_of,
    zones_of,
)
from maskwatch.settings.source import Source, parse_source, scrub_url
from maskwatch.settings.web import WebSettings, is_loopback
from maskwatch.types import DetectorName, Profile
from maskwatch.zones import Rule, Zone

__all__ = [
    "CAMERA_NAME_PATTERN",
    "CameraSettings",
    "LogSettings",
    "MetricsSettings",
    "ModelsSettings",
    "MotionSettings",
    "RedisSettings",
    "RelookSettings",
    "Settings",
    "SheddingSettings",
    "WorkerSettings",
    "is_loopback",
]

CAMERA_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
"""Safe in a URL, a Redis key, a metric label and a file name."""

_NO_DATABASE = re.compile(r"[^/0-9]")


class RedisSettings(Part):
    """Where the two logical Redis servers are."""

    live: SecretStr = Field(description="URL of the disposable server: frames, leases, tracks, results, counters")
    durable: SecretStr = Field(description="URL of the server that keeps events and jobs")

    @field_validator("live", "durable")
    @classmethod
    def _is_redis_url(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("expected a URL that begins with redis://, rediss:// or unix://")
        try:
            parts = urlsplit(text)
            is_fine = parts.scheme == "unix" or (parts.port != 0 and not _NO_DATABASE.search(parts.path))
        except ValueError:
            is_fine = False
        if not is_fine:
            raise ValueError(
                "expected a port from 1 to 65535 and the number of a database, as in redis://localhost:6379/0, "
                "received others; a password with special characters must be percent-encoded, or kept in a variable: "
                "${NAME} is encoded by itself"
            )
        return value

    @property
    def is_single(self) -> bool:
        """Whether one server does both jobs, so that losing live frames and losing events are one thing."""
        return self.live == self.durable


class MotionSettings(Part):
    """When a camera's pictures are left out because nothing moves in them."""

    enabled: bool = Field(default=True, description="false: every frame that is due is analysed")
    threshold: float = Field(default=8.0, ge=2, le=64, description="grey levels of 256 by which a spot must change")
    # More than the 2 s after which the track of somebody who left is closed: then that is seen while all is analysed.
    hold_s: float = Field(
        default=2.5, ge=0.5, le=60, description="seconds for which everything is analysed after motion"
    )
    # Beyond 5 s the site would take a still camera for one that nobody analyses, and one missed face for a departure.
    keepalive_s: float = Field(default=4.0, ge=0.5, le=5, description="seconds between the frames of a still scene")
    keyframes_only: bool = Field(
        default=True, description="decode only keyframes of a still scene, if 2 s apart at most"
    )


class CameraSettings(Part):
    """One camera, its defaults already applied."""

    source: SecretStr = Field(description="URL, webcam:N, /dev/videoN, video file or folder of images")
    fps: float = Field(default=5.0, ge=0.1, le=60, description="frames per second to analyse")
    width: int = Field(default=640, ge=64, le=3840, description="pixels; wider frames are scaled down, never up")
    rotate: Literal[0, 90, 180, 270] = Field(default=0, description="degrees clockwise")
    enabled: bool = True
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="of RTSP")
    on: str | None = Field(default=None, description="name of the only ingest that may hold this camera")
    loop: bool = Field(default=False, description="play a file or folder again when it ends")
    timeout_s: float = Field(default=5.0, ge=1, le=60, description="seconds that opening or reading may take")
    motion: MotionSettings = Field(default_factory=MotionSettings)
    hwaccel: Literal["none", "cuda", "qsv", "vaapi", "drm", "vdpau", "vulkan", "amf", "videotoolbox"] = Field(
        default="none", description="what decodes in hardware; decoded in software where that doesn't work"
    )
    detector: DetectorName = "maskwatch"
    profile: Profile = Profile.ACCURATE
    zones: dict[Annotated[str, Field(pattern=NAME_PATTERN)], ZoneSettings] = Field(
        default_factory=dict, description="named parts of the picture; null leaves an inherited one out"
    )
    rules: dict[Annotated[str, Field(pattern=NAME_PATTERN)], RuleSettings] = Field(
        default_factory=dict, description="what is reported; null leaves an inherited one out"
    )
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)

    def parsed(self, base: Path | None = None) -> Source:
        """Return the parsed source, with its credentials; relative paths start at `base`."""
        return parse_source(self.source.get_secret_value(), base)

    @property
    def shown_source(self) -> str:
        """The source as people may see it: without credentials."""
        return scrub_url(self.source.get_secret_value())

    @property
    def zone_values(self) -> tuple[Zone, ...]:
        """The zones as everyone uses them."""
        return zones_of(self.zones)

    @property
    def rule_values(self) -> tuple[Rule, ...]:
        """The rules as the workers use them, those of zones with `require_mask` included."""
        return rules_of(self.zones, self.rules)

    @field_validator("zones", "rules", mode="before")
    @classmethod
    def _without_those_left_out(cls, value: object) -> object:
        return {name: one for name, one in value.items() if one is not None} if isinstance(value, dict) else value or {}

    @model_validator(mode="after")
    def _zones_and_rules_go_together(self) -> CameraSettings:
        check_together(self.zones, self.rules)
        return self

    @field_validator("source", mode="before")
    @classmethod
    def _is_no_number(cls, value: object) -> object:
        if isinstance(value, int):
            raise ValueError(
                "expected a URL, webcam:N, a video file or a folder of images, received a number; the first webcam is "
                "webcam:0"
            )
        return value

    @field_validator("source")
    @classmethod
    def _is_source(cls, value: SecretStr) -> SecretStr:
        parse_source(value.get_secret_value())
        return value


class RelookSettings(Part):
    """When a face of a person whose verdict is settled is classified again."""

    enabled: bool = Field(default=True, description="false: every face in every frame")
    every_s: float = Field(default=1.0, ge=0.1, le=60, description="seconds after which it is, whatever else")
    better: float = Field(default=1.4, ge=1.05, le=10, description="factor by which it has become larger or sharper")
    changed: float = Field(default=25.0, ge=1, le=255, description="grey levels by which a part of it has changed")


class WorkerSettings(Part):
    """How workers run the networks."""

    processes: int | None = Field(
        default=None, ge=1, le=256, description="that `up` starts; empty: one per core but one, or one with a GPU"
    )
    batch: int = Field(default=8, ge=1, le=128, description="frames taken at once, at most")
    batch_within_s: float = Field(
        default=0.2, ge=0.01, le=5, description="seconds that a batch may take; fewer frames are taken where it would"
    )
    gather_s: float = Field(
        default=0.004, ge=0, le=0.05, description="seconds that a first frame may wait for others; 0: none waits"
    )
    stale_after_s: float = Field(
        default=0.5, ge=0.05, le=60, description="age at which a frame isn't analysed any more, from capture to take"
    )
    threads: int = Field(default=1, ge=1, le=64, description="inference threads of one worker")
    engine: Literal["auto", "litert", "keras"] = "auto"
    engine_fallback: Literal["litert", "none"] = "litert"
    min_face_px: int = Field(default=24, ge=8, le=512, description="smaller faces don't vote on a verdict")
    relook: RelookSettings = Field(default_factory=RelookSettings)


class SheddingSettings(Part):
    """What gives way when the workers can't keep up."""

    enabled: bool = Field(default=True, description="false: frames are dropped, everything else stays as configured")


class ModelsSettings(Part):
    """Where models are kept that weren't shipped with Maskwatch."""

    dir: Path | None = Field(default=None, description="folder of models; empty: `models` in the state folder")


class MetricsSettings(Part):
    """Where each process other than the site shows its own metrics."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535, description="0 picks a free one; needed with several on one machine")
    advertise: str | None = Field(default=None, description="HOST or HOST:PORT under which Prometheus reaches it")


class LogSettings(Part):
    """What is logged and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = Field(default="auto", description="auto: console on a terminal")


def _default_state_dir() -> Path:
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "maskwatch"
    except RuntimeError:
        raise ConfigError(
            "state_dir: expected a folder, received none, and this user has no home folder to have it in; set "
            "state_dir or MASKWATCH_STATE_DIR"
        ) from None


class Settings(Part):
    """The whole configuration."""

    redis: RedisSettings | None = Field(default=None, description="empty: `up` starts servers of its own")
    state_dir: Path = Field(default_factory=_default_state_dir, description="where `up` keeps data and logs")
    cameras: dict[Annotated[str, Field(pattern=CAMERA_NAME_PATTERN)], CameraSettings] = Field(default_factory=dict)
    models: ModelsSettings = Field(default_factory=ModelsSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    shedding: SheddingSettings = Field(default_factory=SheddingSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    blobs: BlobsSettings = Field(default_factory=BlobsSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    jobs: JobsSettings = Field(default_factory=JobsSettings)
    report: ReportSettings = Field(default_factory=ReportSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    base: Path = Field(default_factory=Path.cwd, description="folder that relative paths start from", exclude=True)

    @field_validator("redis", mode="before")
    @classmethod
    def _one_url_for_both(cls, value: object) -> object:
        return {"live": value, "durable": value} if isinstance(value, str) else value

    @property
    def models_folder(self) -> Path:
        """The folder of models that weren't shipped, absolute; it need not exist."""
        if self.models.dir is not None:
            return Path(os.path.abspath(self.base / self.models.dir.expanduser()))
        return Path(os.path.abspath(self.state_dir.expanduser())) / "models"

    @property
    def record_url(self) -> str:
        """The record's database, a file's path absolute; holds the password, so it is never to be shown."""
        if self.store.url is None:
            return f"sqlite:///{Path(os.path.abspath(self.state_dir.expanduser())) / 'record.db'}"
        url = self.store.url.get_secret_value()
        if not url.startswith("sqlite:///"):
            return url
        return "sqlite:///" + os.path.abspath(self.base / Path(url.removeprefix("sqlite:///")).expanduser())

    @property
    def blobs_folder(self) -> Path:
        """The folder of kept files, absolute; it need not exist."""
        if self.blobs.dir is not None:
            return Path(os.path.abspath(self.base / self.blobs.dir.expanduser()))
        return Path(os.path.abspath(self.state_dir.expanduser())) / "blobs"

    @property
    def jobs_folder(self) -> Path:
        """The folder of unfinished jobs, absolute; it need not exist."""
        if self.jobs.dir is not None:
            return Path(os.path.abspath(self.base / self.jobs.dir.expanduser()))
        return Path(os.path.abspath(self.state_dir.expanduser())) / "jobs"

    @property
    def named_folders(self) -> tuple[Path, ...]:
        """The folders below which jobs may look at named files, absolute."""
        return tuple(Path(os.path.abspath(self.base / one.expanduser())) for one in self.jobs.folders)

    def require_redis(self) -> RedisSettings:
        """Return the Redis addresses.

        Raises:
            ConfigError: if there are none; only `up` can do without.
        """
        if self.redis is None:
            raise ConfigError(
                "redis: is missing from the configuration; give redis: {live: URL, durable: URL} or "
                "MASKWATCH_REDIS__LIVE and MASKWATCH_REDIS__DURABLE, or use `maskwatch up`, which starts its own"
            )
        return self.redis

"""The configuration: one YAML file, environment variables on top, `${NAME}` for secrets."""

from maskwatch.settings.loader import load_settings, parse_settings
from maskwatch.settings.model import (
    CAMERA_NAME_PATTERN,
    CameraSettings,
    LogSettings,
    MetricsSettings,
    ModelsSettings,
    MotionSettings,
    RedisSettings,
    RelookSettings,
    Settings,
    SheddingSettings,
    WebSettings,
    WorkerSettings,
)
from maskwatch.settings.source import Source, SourceKind, parse_source, scrub

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
    "Source",
    "SourceKind",
    "WebSettings",
    "WorkerSettings",
    "load_settings",
    "parse_settings",
    "parse_source",
    "scrub",
]

"""The configuration: one YAML file, environment variables on top, `${NAME}` for secrets."""

from maskwatch.settings.jobs import JobsSettings, ReportSettings
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
    WorkerSettings,
)
from maskwatch.settings.notify import NotifySettings, ReceiverSettings
from maskwatch.settings.part import Part
from maskwatch.settings.record import BlobsSettings, StoreSettings
from maskwatch.settings.rules import EvidenceSettings, PrivacySettings, RuleSettings, ScheduleSettings, ZoneSettings
from maskwatch.settings.source import Source, SourceKind, parse_source, scrub
from maskwatch.settings.web import WebSettings

__all__ = [
    "CAMERA_NAME_PATTERN",
    "BlobsSettings",
    "CameraSettings",
    "EvidenceSettings",
    "JobsSettings",
    "LogSettings",
    "MetricsSettings",
    "ModelsSettings",
    "MotionSettings",
    "NotifySettings",
    "Part",
    "PrivacySettings",
    "ReceiverSettings",
    "RedisSettings",
    "RelookSettings",
    "ReportSettings",
    "RuleSettings",
    "ScheduleSettings",
    "Settings",
    "SheddingSettings",
    "Source",
    "SourceKind",
    "StoreSettings",
    "WebSettings",
    "WorkerSettings",
    "ZoneSettings",
    "load_settings",
    "parse_settings",
    "parse_source",
    "scrub",
]

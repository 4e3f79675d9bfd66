"""The sample configuration is the reference of the keys: it must hold them all, each with a comment above it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from maskwatch.settings import (
    BlobsSettings,
    CameraSettings,
    EvidenceSettings,
    JobsSettings,
    LogSettings,
    MetricsSettings,
    ModelsSettings,
    MotionSettings,
    PrivacySettings,
    ReceiverSettings,
    RedisSettings,
    ReportSettings,
    RuleSettings,
    ScheduleSettings,
    Settings,
    SheddingSettings,
    StoreSettings,
    WebSettings,
    WorkerSettings,
    ZoneSettings,
    load_settings,
    parse_settings,
)
from tests.support import ROOT

EXAMPLE = ROOT / "cameras.example.yaml"
SECRETS = {
    "REDIS_PASSWORD": "x",
    "LOBBY_PASSWORD": "y",
    "RECORD_PASSWORD": "z",
    "MAIL_PASSWORD": "m",
    "HOOK_SECRET": "h" * 16,
    "BROKER_PASSWORD": "b",
    "SITE_PASSWORD": "p" * 8,
    "HOME_ASSISTANT_TOKEN": "t" * 20,
    "METRICS_TOKEN": "u" * 20,
    "SESSION_SECRET": "s" * 32,
}
IN_FILES = {"password_file", "metrics_token_file", "session_secret_file"}
"""Each stands for a key of the example, which can't be given together with it."""


def example() -> dict[str, Any]:
    data: dict[str, Any] = yaml.load(EXAMPLE.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return data


def test_example_is_valid() -> None:
    assert set(load_settings(EXAMPLE, SECRETS).cameras) == {"lobby", "desk", "replay"}


def test_example_holds_every_key_there_is() -> None:
    data = example()
    assert set(data) == {*Settings.model_fields, "defaults"} - {"base"}
    assert set(data["cameras"]["lobby"]) == set(CameraSettings.model_fields)
    assert set(data["cameras"]["lobby"]["motion"]) == set(MotionSettings.model_fields)
    lobby = data["cameras"]["lobby"]
    assert set(lobby["zones"]["door"]) == set(ZoneSettings.model_fields)
    assert set(lobby["rules"]["shift"]) == set(RuleSettings.model_fields)
    schedule = {field.alias or name for name, field in ScheduleSettings.model_fields.items()}
    assert set(lobby["rules"]["shift"]["schedule"]) == schedule
    assert set(lobby["rules"]["shift"]["evidence"]) == set(EvidenceSettings.model_fields)
    assert set(lobby["privacy"]) == set(PrivacySettings.model_fields)
    receivers = data["notify"]["receivers"]
    assert {key for receiver in receivers.values() for key in receiver} == set(ReceiverSettings.model_fields)
    for key, model in (
        ("redis", RedisSettings),
        ("models", ModelsSettings),
        ("worker", WorkerSettings),
        ("shedding", SheddingSettings),
        ("store", StoreSettings),
        ("blobs", BlobsSettings),
        ("jobs", JobsSettings),
        ("report", ReportSettings),
        ("web", WebSettings),
        ("metrics", MetricsSettings),
        ("log", LogSettings),
    ):
        assert set(data[key]) == set(model.model_fields) - IN_FILES, key
    assert all(f"# Or `{key}: FILE`" in EXAMPLE.read_text(encoding="utf-8") for key in IN_FILES)


def test_every_key_of_the_example_has_a_comment_above() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    short = ("  desk:", "  replay:")  # the cameras that only show other sources
    bare: list[str] = []
    in_short = False
    for above, line in zip(["", *lines], lines, strict=False):
        if re.match(r"  \w+:$|\w", line):
            in_short = line in short
        if re.match(r" *\w+:", line) and not in_short and not above.lstrip().startswith("#"):
            bare.append(line)
    assert bare == []


def test_defaults_in_brackets_are_the_real_ones() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    written = dict.fromkeys(("fps", "width", "rotate", "timeout_s", "batch", "threads", "min_face_px", "port"), "")
    for match in re.finditer(r"\[([^\]]+)\]\n *(\w+):", text):
        written[match[2]] = written.get(match[2]) or match[1]
    settings = parse_settings("cameras: {a: {source: 'webcam:0'}}", {})
    camera, worker = settings.cameras["a"], settings.worker
    assert written["fps"] == f"{camera.fps:g}"
    assert written["width"] == str(camera.width)
    assert written["rotate"] == str(camera.rotate)
    assert written["transport"] == camera.transport
    assert written["detector"] == camera.detector
    assert written["profile"] == camera.profile
    assert written["threshold"] == f"{camera.motion.threshold:g}"
    assert written["hold_s"] == f"{camera.motion.hold_s:g}"
    assert written["keepalive_s"] == f"{camera.motion.keepalive_s:g}"
    assert written["hwaccel"] == camera.hwaccel
    assert written["timeout_s"] == f"{camera.timeout_s:g}"
    rule = RuleSettings()
    assert written["of"] == str(rule.evidence.of)
    assert written["at_least"] == str(rule.evidence.at_least)
    assert written["grace_s"] == f"{rule.grace_s:g}"
    assert written["cooldown_s"] == f"{rule.cooldown_s:g}"
    assert written["severity"] == rule.severity
    assert written["snapshots"] == camera.privacy.snapshots
    assert written["stream"] == camera.privacy.stream
    assert written["batch"] == str(worker.batch)
    assert written["batch_within_s"] == f"{worker.batch_within_s:g}"
    assert written["gather_s"] == f"{worker.gather_s:g}"
    assert written["stale_after_s"] == f"{worker.stale_after_s:g}"
    assert written["threads"] == str(worker.threads)
    assert written["engine"] == worker.engine
    assert written["min_face_px"] == str(worker.min_face_px)
    assert written["events_days"] == f"{settings.store.events_days:g}"
    assert written["snapshots_days"] == f"{settings.store.snapshots_days:g}"
    assert written["tallies_days"] == f"{settings.store.tallies_days:g}"
    assert written["most_mb"] == str(settings.blobs.most_mb)
    assert written["host"] == settings.web.host
    assert written["port"] == str(settings.web.port)
    assert written["session_hours"] == f"{settings.web.session_hours:g}"
    assert written["proxies"] == str(settings.web.proxies)
    assert written["max_streams"] == str(settings.web.max_streams)
    assert written["max_stream_fps"] == f"{settings.web.max_stream_fps:g}"
    assert written["level"] == settings.log.level
    assert written["format"] == settings.log.format

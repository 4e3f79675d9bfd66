"""Decoding in hardware where there is none: a source that opens and says why it is slower than asked."""

from __future__ import annotations

import pytest

import maskwatch.media.acceleration
from maskwatch.errors import ConfigError
from maskwatch.media.acceleration import acceleration
from maskwatch.settings import parse_settings


def test_nothing_asked_for_is_nothing_to_remark() -> None:
    assert acceleration("none") == (None, "")


def test_device_that_this_ffmpeg_does_not_know_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maskwatch.media.acceleration, "hwdevices_available", lambda: ["cuda", None])
    accel, remark = acceleration("videotoolbox")
    assert accel is None
    assert remark == "hwaccel videotoolbox: this FFmpeg has only cuda; decoded in software"


def test_device_that_does_not_work_here_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, name: str, allow_software_fallback: bool) -> None:
            assert (name, allow_software_fallback) == ("cuda", True)

        def create(self, codec: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(maskwatch.media.acceleration, "hwdevices_available", lambda: ["cuda"])
    monkeypatch.setattr(maskwatch.media.acceleration, "HWAccel", Broken)
    accel, remark = acceleration("cuda")
    assert accel is None
    assert remark == "hwaccel cuda: no such device works here (Permission denied); decoded in software"


def test_unknown_name_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"cameras\.a\.hwaccel: expected 'none', 'cuda'"):
        parse_settings("cameras: {a: {source: 'webcam:0', hwaccel: nvidia}}", {})

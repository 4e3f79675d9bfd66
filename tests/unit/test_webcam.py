"""A webcam whose driver does what the test says."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.errors import DecodeError, SourceLost, SourceUnsupported
from maskwatch.media import webcam
from maskwatch.media.webcam import WebcamSource


class Driver:
    """Stands for OpenCV's capture, at 10 pictures a second of a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.is_open = self.is_there = True
        self.readable = [True]
        self.grabs = 0
        self.is_released = False

    def monotonic(self) -> float:
        return self.now_s

    def isOpened(self) -> bool:
        return self.is_open

    def set(self, _what: int, _value: float) -> bool:
        return True

    def get(self, _what: int) -> float:
        return 10.0

    def grab(self) -> bool:
        self.now_s += 0.1
        self.grabs += 1
        return self.is_there

    def retrieve(self) -> tuple[bool, UInt8Array | None]:
        is_readable = self.readable[min(self.grabs, len(self.readable)) - 1]
        return is_readable, np.zeros((4, 8, 3), np.uint8) if is_readable else None

    def release(self) -> None:
        self.is_released = True


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_words: driver)
    monkeypatch.setattr(webcam, "_check_device", lambda _device: None)
    monkeypatch.setattr(webcam, "time", SimpleNamespace(monotonic=driver.monotonic))
    return driver


def opened(fps: float | None = None) -> WebcamSource:
    return WebcamSource("/dev/video0", timeout_s=5, width=None, rotate=0, fps=fps)


def test_every_picture_is_fetched_and_those_that_are_due_are_given(driver: Driver) -> None:
    with opened(fps=5) as source:
        times = [grab.media_time_s for grab in (source.grab(), source.grab(), source.grab()) if grab is not None]
    assert times == [pytest.approx(time_s) for time_s in (0.0, 0.2, 0.4)]
    assert driver.grabs == 5
    assert driver.is_released


def test_device_that_does_not_open_is_given_back(driver: Driver) -> None:
    driver.is_open = False
    with pytest.raises(SourceUnsupported):
        opened()
    assert driver.is_released


def test_unplugged_device_is_lost(driver: Driver) -> None:
    with opened() as source:
        source.grab()
        driver.is_there = False
        with pytest.raises(SourceLost, match="unplugged"):
            source.grab()


def test_unreadable_picture_is_passed_over(driver: Driver) -> None:
    driver.readable = [True, False, False, True]
    with opened() as source:
        source.grab()
        source.grab()
    assert driver.grabs == 4


def test_device_whose_pictures_cannot_be_read_is_given_up(driver: Driver) -> None:
    driver.readable = [True, False]
    with opened() as source:
        source.grab()
        with pytest.raises(DecodeError, match="/dev/video0"):
            source.grab()
    assert driver.now_s < 130

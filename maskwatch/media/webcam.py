"""A webcam through V4L2. PyAV's wheels have no capture devices, OpenCV's do."""

from __future__ import annotations

import errno
import os
import time

import cv2
import numpy as np

from maskwatch.errors import DecodeError, SourceError, SourceLost, SourceUnsupported
from maskwatch.media.frame import FrameSource, Grab
from maskwatch.media.loaded import Loaded
from maskwatch.media.sampling import MediaClock, Sampler

__all__ = ["WebcamSource"]

_ADVICE = {
    errno.ENOENT: "there is no such device; `ls /dev/video*` lists those there are",
    errno.ENODEV: "there is no such device; is it plugged in?",
    errno.EACCES: "this user may not use it; add the user to the group video",
    errno.EBUSY: "another program uses it; close that one",
}

_LONGEST_UNREADABLE_S = 10.0
"""Pictures that arrive broken for so long won't get better by themselves; a device that is opened anew may."""


class WebcamSource(FrameSource):
    """A V4L2 device; every picture is fetched so that none waits in the driver, those that are due are converted."""

    def __init__(self, device: str, *, timeout_s: float, width: int | None, rotate: int, fps: float | None) -> None:
        """Open a device; arguments and errors as `maskwatch.media.open_source`."""
        super().__init__()
        self._device = device
        self._width = width
        self._rotate = rotate
        _check_device(device)
        self._capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceUnsupported(
                f"{device}: gives no pictures that OpenCV reads; is it a camera, and does nobody else use it?"
            )
        # Where OpenCV's V4L2 doesn't know this setting, it waits for a picture for 10 s at most.
        self._capture.set(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(timeout_s * 1000))
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = rate if 0.1 <= rate <= 240 else None
        self._sampler = Sampler(fps)
        self._clock = MediaClock(self.fps, by_arrival=True)

    def grab(self) -> Grab | None:
        """Return the next picture that is due; see `FrameSource.grab`."""
        asked_s = time.monotonic()
        while True:
            if not self._capture.grab():
                raise SourceLost(f"{self._device}: no picture came; was it unplugged?")
            now_s = self._packet_at_s = time.monotonic()
            media_time_s = self._clock.advance(None, now_s)
            if not self._sampler.due(media_time_s):
                continue
            ok, frame_bgr = self._capture.retrieve()
            if ok and frame_bgr is not None and frame_bgr.size:
                source_bgr = np.asarray(frame_bgr, np.uint8)
                return Loaded(media_time_s, now_s, source_bgr=source_bgr, width=self._width, rotate=self._rotate)
            if now_s - asked_s > _LONGEST_UNREADABLE_S:
                raise DecodeError(
                    f"{self._device}: no picture of the last {_LONGEST_UNREADABLE_S:g} s can be read; "
                    "is the camera, its cable or its format (`v4l2-ctl --list-formats`) at fault?"
                )

    def retune(self, *, width: int | None, fps: float | None) -> None:
        """Scale to another width and pick pictures at another rate from the next one on."""
        self._width = width
        self._sampler = Sampler(fps)

    def close(self) -> None:
        """Give the device back."""
        self._capture.release()


def _check_device(device: str) -> None:
    """Tell apart what OpenCV only calls "not opened".

    Raises:
        SourceError: if the device is missing, busy, or not this user's.
    """
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "check the device")
        raise SourceError(f"{device}: can't be opened: {error.strerror}; {advice}") from error
    os.close(descriptor)

"""Whether anything moves in front of a camera: pictures are compared with the last one that was worth analysing.

Pure: small grey pictures and their times come in, a decision comes out. How the numbers were found is in
docs/decisions.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwatch.arrays import UInt8Array
from maskwatch.settings import MotionSettings

__all__ = ["Look", "MotionGate"]

_FEWEST_CELLS = 4
"""That must change together: cells have 4 pixels a side, so that a face of 24 pixels has 36 of them."""

_ROW_CLIP = 16.0
"""Grey levels by which one cell can move what is taken for the light of its row: a person is no change of light."""

_NOISE_TIMES = 6.0
"""A change must be this many times the picture's usual unrest; noise of a normal distribution hardly reaches 5."""

_NOISE_MOST = 4.0
"""Grey levels of unrest beyond which the threshold rises no more: the worst night picture tried has 1.5."""

_NOISE_S = 5.0
"""Time constant with which the unrest is learned."""

_BLUR = (3, 3)


@dataclass(frozen=True, slots=True)
class Look:
    """What one picture came to.

    Attributes:
        is_wanted: whether it is to be analysed: something moves, did a moment ago, or the last one was long ago.
        has_moved: whether it differs from the one it was compared with.
    """

    is_wanted: bool
    has_moved: bool


class MotionGate:
    """Open while something moves and for some seconds after; a still scene gets through every few seconds.

    A picture is compared with the last one that was different or was sent as a sign of life, not with its
    predecessor: whoever moves slowly is noticed once the small steps have added up. Changes of light are taken out row
    by row, which is how a flickering lamp shows behind a rolling shutter.
    """

    def __init__(self, settings: MotionSettings) -> None:
        """Begin open, with the next picture as the first."""
        self._settings = settings
        self._reference: NDArray[np.float32] | None = None
        self._last: NDArray[np.float32] | None = None
        self._moved_s = self._sent_s = self._seen_s = 0.0
        self._noise = 0.0
        self._is_open = True

    @classmethod
    def of(cls, settings: MotionSettings) -> MotionGate | None:
        """Return a gate, or None where everything is to be analysed."""
        return cls(settings) if settings.enabled else None

    @property
    def is_still(self) -> bool:
        """Whether the gate is closed."""
        return not self._is_open

    @property
    def may_rest(self) -> bool:
        """Whether the scene is still and may be watched by its keyframes alone."""
        return self.is_still and self._settings.keyframes_only

    def judge(self, grey: UInt8Array, time_s: float) -> Look:
        """Take the next picture.

        Args:
            grey: (H, W) uint8, about a quarter of the analysed width; not modified, not kept.
            time_s: when it was taken; a time that falls counts as no time passed.
        """
        small = cv2.blur(grey, _BLUR).astype(np.float32)
        time_s = max(time_s, self._seen_s)
        if self._reference is None or self._reference.shape != small.shape:
            self._reference = self._last = small
            self._moved_s = self._sent_s = self._seen_s = time_s
            self._is_open = True
            return Look(True, True)
        has_moved = self._differs(small, self._reference)
        self._learn(small, time_s)
        if has_moved:
            self._moved_s, self._is_open = time_s, True
        elif time_s - self._moved_s >= self._settings.hold_s:
            self._is_open = False
        is_due = time_s - self._sent_s >= self._settings.keepalive_s
        is_wanted = self._is_open or is_due
        if has_moved or is_due:
            self._reference = small
        if is_wanted:
            self._sent_s = time_s
        return Look(is_wanted, has_moved)

    def _differs(self, small: NDArray[np.float32], reference: NDArray[np.float32]) -> bool:
        """Tell whether enough cells that touch each other changed by more than noise and light account for."""
        threshold = max(self._settings.threshold, _NOISE_TIMES * min(self._noise, _NOISE_MOST))
        changed = np.abs(_without_light(small - reference, reference)) > threshold
        if np.count_nonzero(changed) < _FEWEST_CELLS:
            return False
        _, _, stats, _ = cv2.connectedComponentsWithStats(changed.view(np.uint8), connectivity=8)
        return bool(stats[1:, cv2.CC_STAT_AREA].max(initial=0) >= _FEWEST_CELLS)

    def _learn(self, small: NDArray[np.float32], time_s: float) -> None:
        """Follow the usual difference of neighbouring pictures; what moves is a small part of it and hardly counts."""
        assert self._last is not None
        unrest = float(np.median(np.abs(_without_light(small - self._last, self._last)))) / 0.6745
        weight = min(1.0, (time_s - self._seen_s) / _NOISE_S)
        self._noise += weight * (unrest - self._noise)
        self._last, self._seen_s = small, time_s


def _without_light(difference: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take out of a difference what comes of each row's light: it makes all of a row brighter in proportion."""
    change = np.clip(difference, -_ROW_CLIP, _ROW_CLIP).sum(axis=1, keepdims=True)
    gain = change / np.maximum(reference.sum(axis=1, keepdims=True), 1.0)
    return np.asarray(difference - gain * reference, np.float32)

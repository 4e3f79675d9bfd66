"""A window on the screen, where OpenCV can open one."""

from __future__ import annotations

import os
import sys

import cv2

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ConfigError

__all__ = ["Window", "require_window"]

_TITLE = "maskwatch (q quits)"
_POLL_MS = 50


def require_window() -> None:
    """Check that a window can be opened, before anything slow is done.

    Raises:
        ConfigError: if this OpenCV was built without windows, or there is no screen.
    """
    if not _has_windows(cv2.getBuildInformation()):
        raise ConfigError(
            "--show: this OpenCV is the headless one and has no windows; run: "
            "pip uninstall -y opencv-python-headless && pip install 'opencv-python>=4.12,<5', or use --out instead"
        )
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ConfigError(
            "--show: there is no screen (DISPLAY and WAYLAND_DISPLAY are empty); run it in a desktop session, "
            "or use --out instead"
        )


def _has_windows(build_information: str) -> bool:
    """Read OpenCV's description of itself: `GUI:  NONE` in headless builds."""
    for line in build_information.splitlines():
        key, _, value = line.strip().partition(":")
        if key == "GUI":
            return value.strip().upper() != "NONE"
    return False


class Window:
    """Shows pictures until q is pressed or the window is closed."""

    def __init__(self) -> None:
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL)

    def show(self, frame_bgr: UInt8Array, *, wait: bool = False) -> bool:
        """Show a picture.

        Args:
            frame_bgr: (H, W, 3) uint8.
            wait: until a key is pressed, as for a single picture.

        Returns:
            Whether to go on: False after q or when the window was closed.
        """
        cv2.imshow(_TITLE, frame_bgr)
        while True:
            key = cv2.waitKey(_POLL_MS if wait else 1)
            if key & 0xFF == ord("q") or cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
                return False
            if not wait or key >= 0:
                return True

    def close(self) -> None:
        """Close the window; repeated calls change nothing."""
        cv2.destroyAllWindows()

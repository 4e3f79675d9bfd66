"""Decoding in hardware, where this machine and this FFmpeg can."""

from __future__ import annotations

import av.error
from av.codec.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available

__all__ = ["acceleration"]


def acceleration(name: str) -> tuple[HWAccel | None, str]:
    """Try a kind of device.

    Args:
        name: of FFmpeg's device type, e.g. `cuda`; `none` tries nothing.

    Returns:
        What `av.open` takes, or None when it is to decode in software; and why, for a person, when that isn't what was
        asked for.
    """
    if name == "none":
        return None, ""
    known = [device for device in hwdevices_available() if device]
    if name not in known:
        return None, f"hwaccel {name}: this FFmpeg has only {', '.join(known) or 'none'}; decoded in software"
    accel = HWAccel(name, allow_software_fallback=True)
    try:
        # A device that can't be opened would otherwise look like a source that can't.
        accel.create(Codec("h264", "r"))
    except (av.error.FFmpegError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        return None, f"hwaccel {name}: no such device works here ({why}); decoded in software"
    return accel, ""

"""What a camera is told to ignore is black, in the picture and in what motion is judged by, however it is turned."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.blackout import Blackout
from maskwatch.arrays import UInt8Array
from maskwatch.media.frame import MediaFrame
from maskwatch.media.scale import grey_of, scaled
from maskwatch.settings import parse_settings

CORNER = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.25), (0.0, 0.25))
SETTINGS = """
cameras:
  lobby:
    source: webcam:0
    rotate: {rotate}
    zones:
      window: {{polygon: [[0, 0], [0.5, 0], [0.5, 0.25], [0, 0.25]], ignore: true}}
      door: {{polygon: [[0.5, 0.5], [1, 0.5], [1, 1]]}}
"""


def blackout(rotate: int = 0) -> Blackout:
    return Blackout.of(parse_settings(SETTINGS.format(rotate=rotate), {}).cameras["lobby"])


def white(width: int, height: int) -> UInt8Array:
    return np.full((height, width, 3), 255, np.uint8)


def test_only_ignored_zones_are_black() -> None:
    assert blackout().polygons_unit == (CORNER,)
    picture = blackout().frame(MediaFrame(white(640, 360), 0.0, 0.0)).frame_bgr
    assert not picture[:90, :320].any()
    assert picture[92:].all()
    assert picture[:, 322:].all()


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_motion_is_judged_without_what_is_ignored_in_the_picture(rotate: int) -> None:
    source = white(640, 360)
    frame = blackout(rotate).frame(MediaFrame(scaled(source, 320, rotate), 0.0, 0.0)).frame_bgr
    grey = blackout(rotate).grey(grey_of(source[:, :, 0], 320, rotate, 4))
    turned = np.rot90(grey, -rotate // 90)
    height, width = turned.shape
    black = frame[:: frame.shape[0] // height, :: frame.shape[1] // width, 0][:height, :width] == 0
    assert 0.1 < black.mean() < 0.16
    assert np.mean((turned == 0) == black) > 0.93


def test_picture_that_may_not_be_written_to_is_left_alone() -> None:
    picture = white(64, 36)
    picture.flags.writeable = False
    assert not blackout().frame(MediaFrame(picture, 0.0, 0.0)).frame_bgr[:8, :30].any()
    assert picture.all()


def test_camera_without_ignored_zones_costs_nothing() -> None:
    frame = MediaFrame(white(64, 36), 0.0, 0.0)
    assert Blackout().frame(frame) is frame
    assert Blackout().grey(frame.frame_bgr) is frame.frame_bgr

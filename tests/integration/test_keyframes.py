"""Decoding keyframes alone: real H.264, from a file packet by packet and from a real RTSP server."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.stream import VideoStream

from ingest.motion import MotionGate
from maskwatch.arrays import UInt8Array
from maskwatch.media import MediaFrame, encode_jpeg, open_source
from maskwatch.media.keyframes import Rhythm, Thrift
from maskwatch.settings import MotionSettings
from maskwatch.settings.source import parse_source
from tests.support_media import mjpeg_server, numbered, rtsp_server, write_film

FPS = 10


def packets_of(container: av.container.InputContainer) -> list[Packet[VideoStream]]:
    return [packet for packet in container.demux(container.streams.video[0]) if packet.size]


def decoded(film: Path) -> dict[int, UInt8Array]:
    """Return every picture by its timestamp."""
    with av.open(str(film)) as container:
        return {
            cast(int, frame.pts): np.asarray(frame.to_ndarray(format="gray"), np.uint8)
            for frame in container.decode(video=0)
        }


@pytest.mark.parametrize("b_frames", [0, 3])
def test_pictures_after_going_on_are_those_of_the_whole_film(tmp_path: Path, b_frames: int) -> None:
    film = write_film(tmp_path / "film.mp4", 120, fps=FPS, keyframe_every=FPS, b_frames=b_frames)
    whole = decoded(film)
    with av.open(str(film)) as container:
        context = container.streams.video[0].codec_context
        context.thread_type = "NONE"
        thrift = Thrift(context)
        given: list[int] = []
        rested = 0
        for number, packet in enumerate(packets_of(container)):
            # Rests, goes on in the middle of a group, rests again, goes on at a keyframe.
            thrift.rests = 20 <= number < 55 or 75 <= number < 100
            for picture in thrift.decode(packet, may_begin=True):
                pts = cast(int, picture.pts)
                assert picture.time == pytest.approx(float(pts * packet.time_base))
                assert np.array_equal(picture.to_ndarray(format="gray"), whole[pts])
                given.append(pts)
            rested += thrift.is_resting
    assert given == sorted(set(given))
    assert rested > 30
    assert thrift.unseen >= rested * 8 // 10
    assert len(given) + thrift.unseen >= len(whole) - 8


@pytest.mark.parametrize(("keyframe_every", "rests"), [(FPS, True), (2 * FPS, True), (2 * FPS + 5, False), (1, False)])
def test_rests_only_where_keyframes_come_every_two_seconds(tmp_path: Path, keyframe_every: int, rests: bool) -> None:
    film = write_film(tmp_path / "film.mp4", 120, fps=FPS, keyframe_every=keyframe_every)
    with av.open(str(film)) as container:
        thrift = Thrift(container.streams.video[0].codec_context)
        thrift.rests = True
        rested = False
        for packet in packets_of(container):
            thrift.decode(packet, may_begin=True)
            rested |= thrift.is_resting
    assert rested is rests


def test_stream_whose_keyframes_come_in_parts_is_decoded_as_a_whole(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", 80, fps=FPS, keyframe_every=FPS)
    with av.open(str(film)) as container:
        thrift = Thrift(container.streams.video[0].codec_context)
        thrift.rests = True
        given = 0
        for packet in packets_of(container):
            for part in [packet] * (2 if packet.is_keyframe else 1):
                given += len(thrift.decode(part, may_begin=True))
        assert not thrift.is_resting
    assert given > 60


def test_stretched_keyframes_end_the_rest() -> None:
    rhythm = Rhythm()
    for number in range(50):
        rhythm.packet(number / 10, number % 20 == 0)
    assert rhythm.is_close
    for number in range(50, 70):
        rhythm.packet(number / 10, False)
    assert (rhythm.is_close, rhythm.is_overdue) == (True, True)
    rhythm.packet(7.0, True)
    assert (rhythm.is_close, rhythm.is_overdue) == (False, False)


def test_keyframe_that_comes_as_several_packets_is_one() -> None:
    rhythm = Rhythm()
    for number in range(50):
        for _ in range(3):
            rhythm.packet(number / 10, number % 10 == 0)
    assert rhythm.is_close
    every = Rhythm()
    for number in range(50):
        for _ in range(3):
            every.packet(number / 10, True)
    assert not every.is_close


@pytest.mark.parametrize("jump_s", [-100.0, 100.0])
def test_jump_of_the_timestamps_makes_the_rhythm_unknown(jump_s: float) -> None:
    rhythm = Rhythm()
    for number in range(50):
        rhythm.packet(number / 10, number % 10 == 0)
    rhythm.packet(5.0 + jump_s, False)
    assert not rhythm.is_close
    assert rhythm.is_overdue


STILL_S, MOVING_S = 14, 5
QUICK = MotionSettings(hold_s=0.5, keepalive_s=1.0)


def still_then_moving(number: int, size_wh: tuple[int, int]) -> UInt8Array:
    """Draw a picture that stays for `STILL_S` and then tells its number by a grey level and a bar."""
    return numbered(max(0, number - STILL_S * FPS), size_wh)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("keyframe_s", [1, 2])
def test_still_rtsp_camera_rests_and_is_back_within_a_keyframe_of_motion(tmp_path: Path, keyframe_s: int) -> None:
    film = write_film(
        tmp_path / "film.mp4",
        (STILL_S + MOVING_S) * FPS,
        fps=FPS,
        keyframe_every=keyframe_s * FPS,
        draw=still_then_moving,
    )
    with (
        rtsp_server({"path": "/film", "file": str(film), "loop": True}) as server,
        open_source(parse_source(server.url("/film")), timeout_s=10, width=None) as source,
    ):
        gate = MotionGate(QUICK)
        resting = unseen = 0
        frames: list[tuple[MediaFrame, int]] = []
        while len(frames) < 8:
            grab = source.grab()
            assert grab is not None
            gate.judge(grab.grey(), grab.media_time_s)
            source.rest(gate.may_rest)
            resting += source.decodes_keyframes_only
            unseen += grab.unseen
            if resting >= 2 and not gate.is_still:
                frames.append((grab.frame(), grab.skipped))
    assert unseen >= keyframe_s * FPS - 3
    first = closest(frames[0][0].frame_bgr)
    # On a busy machine pictures are left out to catch up; otherwise each follows on the one before.
    assert first <= keyframe_s * FPS + frames[0][1]
    for (before, _), (after, skipped) in itertools.pairwise(frames):
        assert closest(after.frame_bgr) - closest(before.frame_bgr) == 1 or skipped


def closest(frame_bgr: UInt8Array) -> int:
    """Return which number of the moving part a picture shows; it must not be a broken one."""
    errors = [float(np.abs(frame_bgr.astype(int) - numbered(number)).mean()) for number in range(MOVING_S * FPS)]
    best = int(np.argmin(errors))
    assert errors[best] < 6
    return best


def test_mjpeg_never_rests() -> None:
    with (
        mjpeg_server([encode_jpeg(numbered(0))], fps=50) as server,
        open_source(parse_source(server.url), timeout_s=5) as source,
    ):
        source.rest(True)
        for _ in range(30):
            assert source.read() is not None
            assert not source.decodes_keyframes_only


@pytest.mark.parametrize("b_frames", [0, 3])
def test_frames_that_are_not_decoded_are_counted_to_the_frame(tmp_path: Path, b_frames: int) -> None:
    film = write_film(tmp_path / "film.mp4", 120, fps=FPS, keyframe_every=FPS, b_frames=b_frames)
    with open_source(parse_source(str(film)), fps=5) as source:
        source.rest(True)
        due, last_s = 0, -1.0
        while (grab := source.grab()) is not None:
            assert grab.media_time_s > last_s
            last_s = grab.media_time_s
            due += 1 + grab.unseen
    assert due == pytest.approx(60, abs=1)
    assert last_s == pytest.approx(11.9, abs=0.3)

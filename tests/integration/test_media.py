"""Every kind of source behind the one interface, and what bad input does to it."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwatch.errors import (
    DecodeError,
    ShapeError,
    SourceAuthError,
    SourceError,
    SourceLost,
    SourceUnsupported,
)
from maskwatch.media import FrameSource, decode_jpeg, encode_jpeg, open_source, read_image
from maskwatch.media.writer import VideoWriter
from maskwatch.settings import Source, SourceKind, parse_source
from tests.support_media import mjpeg_server, numbered, rtsp_server, write_film

FRAMES = 20


def png_header(width: int, height: int) -> bytes:
    """A PNG of any claimed size in a few bytes."""
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0" * 64


@pytest.fixture(params=["video", "folder", "http-mjpeg", "http-file", "rtsp", "rtsp-udp"])
def any_source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FrameSource]:
    kind = request.param
    if kind == "video":
        with open_source(parse_source(str(write_film(tmp_path / "film.mp4", FRAMES))), width=160) as source:
            yield source
    elif kind == "folder":
        for number in range(FRAMES):
            (tmp_path / f"{number:03}.jpg").write_bytes(encode_jpeg(numbered(number)))
        with open_source(parse_source(str(tmp_path)), width=160, fps=10) as source:
            yield source
    elif kind == "http-mjpeg":
        with (
            mjpeg_server([encode_jpeg(numbered(number)) for number in range(FRAMES)], fps=40) as server,
            open_source(parse_source(server.url), width=160, timeout_s=5) as source,
        ):
            yield source
    elif kind == "http-file":
        with mjpeg_server([]) as server:
            server.film = write_film(tmp_path / "film.mkv", FRAMES).read_bytes()
            with open_source(parse_source(server.url), width=160) as source:
                assert source.is_paced
                yield source
    else:
        film = write_film(tmp_path / "film.mp4", 100)
        with (
            rtsp_server({"path": "/film", "file": str(film), "loop": True}) as rtsp,
            open_source(
                parse_source(rtsp.url("/film")), width=160, timeout_s=5, transport=kind.partition("-")[2] or "tcp"
            ) as source,
        ):
            yield source


class TestContract:
    def test_gives_pictures_of_the_asked_size_with_times_that_never_fall(self, any_source: FrameSource) -> None:
        frames = []
        for frame in any_source:
            frames.append(frame)
            if len(frames) == FRAMES:
                break
        assert len(frames) == FRAMES
        assert {frame.size_wh for frame in frames} == {(160, 120)}
        assert all(frame.frame_bgr.dtype == np.uint8 and frame.frame_bgr.shape == (120, 160, 3) for frame in frames)
        times = [frame.media_time_s for frame in frames]
        assert times[0] == 0.0
        assert times == sorted(times)
        assert times[-1] > 0.2
        assert np.ptp([float(frame.frame_bgr.mean()) for frame in frames]) > 5

    def test_tells_its_liveness_and_is_closed_twice_without_harm(self, any_source: FrameSource) -> None:
        assert any_source.read() is not None
        age_s = any_source.packet_age_s
        assert age_s is not None
        assert 0 <= age_s < 30
        any_source.close()
        any_source.close()

    def test_takes_another_rate_and_width_while_open(self, any_source: FrameSource) -> None:
        assert any_source.read() is not None
        any_source.retune(width=80, fps=5)
        frame = any_source.read()
        assert frame is not None
        assert frame.size_wh == (80, 60)


def test_file_and_folder_end_with_none(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", FRAMES)
    with open_source(parse_source(str(film))) as source:
        assert (source.fps, source.frames_expected, source.is_paced) == (25, FRAMES, True)
        assert sum(1 for _ in source) == FRAMES
        assert source.read() is None
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "b.png"), numbered(1, (64, 48)))
    cv2.imwrite(str(folder / "a.bmp"), numbered(9, (32, 32)))
    (folder / "notes.txt").write_text("no picture")
    with open_source(parse_source(str(folder)), fps=2) as source:
        assert [(frame.size_wh, frame.media_time_s) for frame in source] == [((32, 32), 0.0), ((64, 48), 0.5)]


def test_sampled_file_gives_frames_at_the_asked_rate(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", 100)
    with open_source(parse_source(str(film)), fps=5) as source:
        assert source.frames_expected == 20
        assert 20 <= len(list(source)) <= 21


def test_film_is_turned_by_setting_and_by_what_it_says_of_itself(tmp_path: Path) -> None:
    plain, turned = write_film(tmp_path / "a.mp4", 3), write_film(tmp_path / "b.mp4", 3, rotation=-90)
    expected = None
    for path, rotate in ((plain, 90), (turned, 0)):
        with open_source(parse_source(str(path)), rotate=rotate) as source:
            frame = source.read()
        assert frame is not None
        assert frame.size_wh == (240, 320)
        expected = frame.frame_bgr if expected is None else expected
        assert np.abs(frame.frame_bgr.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("kind", ["h264", "mjpeg"])
def test_size_that_changes_midway_goes_on(tmp_path: Path, kind: str) -> None:
    sizes_wh = [(320, 240), (480, 270)]
    if kind == "h264":
        joined = tmp_path / "joined.ts"
        films = [write_film(tmp_path / f"{size[0]}.ts", 25, size_wh=size) for size in sizes_wh]
        joined.write_bytes(b"".join(film.read_bytes() for film in films))
    else:
        joined = tmp_path / "joined.mjpeg"
        joined.write_bytes(b"".join(encode_jpeg(numbered(n, size)) for size in sizes_wh for n in range(25)))
    with open_source(parse_source(str(joined)), width=None) as source:
        sizes = [frame.size_wh for frame in source]
    assert set(sizes) == set(sizes_wh)
    assert sizes.count((480, 270)) >= 20


def test_codec_that_changes_midway_is_survived(tmp_path: Path) -> None:
    first = write_film(tmp_path / "a.ts", 25)
    second = write_film(tmp_path / "b.ts", 100, codec="mpeg2video")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    frames = 0
    with open_source(parse_source(str(joined))) as source, contextlib.suppress(SourceError):
        for _ in source:
            frames += 1
    assert frames >= 20


class TestBadInput:
    @pytest.mark.parametrize(
        ("name", "content", "error", "words"),
        [
            ("a.mp4", b"", DecodeError, "empty"),
            ("a.mp4", b"not a film, only words\n" * 50, SourceUnsupported, "not a video"),
            ("a.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", SourceUnsupported, "not a video"),
            ("a.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n", SourceUnsupported, "not a video"),
        ],
    )
    def test_file_that_is_no_film(
        self, tmp_path: Path, name: str, content: bytes, error: type[SourceError], words: str
    ) -> None:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(error, match=words) as caught:
            open_source(parse_source(str(path)))
        assert str(path) in str(caught.value)

    def test_film_without_its_index(self, tmp_path: Path) -> None:
        film = write_film(tmp_path / "film.mp4", 50)
        film.write_bytes(film.read_bytes()[:8000])
        with pytest.raises(SourceUnsupported, match="cut off"):
            open_source(parse_source(str(film)))

    def test_film_that_is_cut_off_gives_what_there_is_and_says_so(self, tmp_path: Path) -> None:
        film = tmp_path / "film.mp4"
        with VideoWriter(film, (160, 120), 25) as writer:
            for number in range(200):
                writer.write(np.random.default_rng(number).integers(0, 255, (120, 160, 3)).astype(np.uint8))
        film.write_bytes(film.read_bytes()[: film.stat().st_size // 3])
        with open_source(parse_source(str(film))) as source:
            assert 10 < sum(1 for _ in source) < 150
            assert source.note.startswith("cut off")

    def test_missing_file_and_folder_without_pictures(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="No such file"):
            open_source(parse_source(str(tmp_path / "none.mp4")))
        with pytest.raises(SourceUnsupported, match="no pictures"):
            open_source(parse_source(str(tmp_path)))

    def test_unreadable_picture_in_a_folder_is_told_and_passed(self, tmp_path: Path) -> None:
        (tmp_path / "1.jpg").write_bytes(encode_jpeg(numbered(1)))
        (tmp_path / "2.jpg").write_bytes(encode_jpeg(numbered(2))[:900])
        (tmp_path / "3.png").write_bytes(png_header(20_000, 20_000))
        (tmp_path / "4.jpg").write_bytes(encode_jpeg(numbered(4)))
        with open_source(parse_source(str(tmp_path)), fps=5) as source:
            assert source.goes_on
            seen = []
            for _ in range(4):
                try:
                    frame = source.read()
                    seen.append("end" if frame is None else f"{frame.media_time_s:.1f}")
                except DecodeError as error:
                    seen.append(Path(str(error).split(":")[0]).name)
            assert seen == ["0.0", "2.jpg", "3.png", "0.6"]
            assert source.read() is None

    def test_folder_of_nothing_but_unreadable_pictures(self, tmp_path: Path) -> None:
        (tmp_path / "1.jpg").write_bytes(b"")
        with open_source(parse_source(str(tmp_path))) as source:
            with pytest.raises(DecodeError, match="empty"):
                source.read()
            with pytest.raises(SourceUnsupported, match="none of its 1"):
                source.read()

    def test_webcam_that_is_not_there(self) -> None:
        with pytest.raises(SourceError, match="ls /dev/video"):
            open_source(parse_source("webcam:987"))

    @pytest.mark.parametrize(
        ("number", "words"),
        [(errno.EACCES, "group video"), (errno.EBUSY, "another program"), (errno.ENODEV, "plugged")],
    )
    def test_webcam_that_cannot_be_used_says_why(
        self, monkeypatch: pytest.MonkeyPatch, number: int, words: str
    ) -> None:
        def refuse(*_args: object) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(SourceError, match=words):
            open_source(Source(SourceKind.WEBCAM, "/dev/video0"))

    def test_device_that_is_no_camera(self) -> None:
        with pytest.raises(SourceUnsupported, match="is it a camera"):
            open_source(Source(SourceKind.WEBCAM, "/dev/null"))

    def test_nobody_listens(self) -> None:
        with pytest.raises(SourceError, match="nothing listens") as caught:
            open_source(parse_source("rtsp://admin:hunter2@127.0.0.1:9/x"))
        assert "hunter2" not in str(caught.value)


class TestHttp:
    def test_wrong_password_is_told_apart(self) -> None:
        with mjpeg_server([encode_jpeg(numbered(1))], password="right") as server:
            url = server.url.replace("//", "//user:wrong@")
            with pytest.raises(SourceAuthError) as caught:
                open_source(parse_source(url))
            assert "wrong@" not in str(caught.value)
            with open_source(parse_source(url.replace("wrong", "right"))) as source:
                assert source.read() is not None

    def test_missing_page_is_no_matter_of_credentials(self) -> None:
        with mjpeg_server([b""]) as server:
            server.answer = 404
            with pytest.raises(SourceError, match="404") as caught:
                open_source(parse_source(server.url))
            assert type(caught.value) is SourceError

    def test_frozen_peer_ends_within_the_time_out(self) -> None:
        with (
            mjpeg_server([encode_jpeg(numbered(number)) for number in range(9)]) as server,
            open_source(parse_source(server.url), timeout_s=1.5) as source,
        ):
            assert source.read() is not None
            server.frozen.set()
            began_s = time.monotonic()
            with pytest.raises(SourceLost, match=r"nothing came for 1\.5 s"):
                list(source)
            assert time.monotonic() - began_s < 30

    def test_server_that_goes_away_is_lost(self) -> None:
        with (
            mjpeg_server([encode_jpeg(numbered(number)) for number in range(9)]) as server,
            open_source(parse_source(server.url), timeout_s=5) as source,
        ):
            assert source.read() is not None
            server.broken.set()
            with pytest.raises(SourceLost):
                list(source)

    def test_corrupt_and_resized_pictures_do_not_end_the_stream(self) -> None:
        good = [encode_jpeg(numbered(number)) for number in range(10)]
        with (
            mjpeg_server([*good, good[0][:700], encode_jpeg(numbered(1, (480, 270)))], fps=50) as server,
            open_source(parse_source(server.url), timeout_s=5, width=None) as source,
        ):
            sizes: set[tuple[int, int]] = set()
            # A busy machine passes pictures over: the one that is larger comes again with every round.
            for frame, number in zip(source, range(1000), strict=False):
                sizes.add(frame.size_wh)
                if number >= 40 and len(sizes) == 2:
                    break
        assert sizes == {(320, 240), (480, 270)}

    def test_silent_peer_does_not_hold_up_opening(self) -> None:
        with mjpeg_server([]) as server:
            server.frozen.set()
            began_s = time.monotonic()
            with pytest.raises(SourceError):
                open_source(parse_source(server.url), timeout_s=1)
            assert time.monotonic() - began_s < 30


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_frozen_rtsp_peer_ends_within_the_time_out(tmp_path: Path, transport: str) -> None:
    film = write_film(tmp_path / "film.mp4", 50)
    with rtsp_server({"path": "/film", "file": str(film), "loop": True}) as server:
        url = server.url("/film")
        with open_source(parse_source(url), timeout_s=2, transport=transport) as source:
            assert source.read() is not None
            timer = threading.Timer(0.5, server.process.send_signal, [19])
            timer.start()
            with pytest.raises(SourceLost, match="nothing came for 2 s"):
                list(source)
            timer.join()
            age_s = source.packet_age_s
        assert age_s is not None
        assert 1.5 < age_s < 60  # what FFmpeg held back has not counted as a sign of life


class TestImages:
    def test_corrupt_cut_off_and_empty_jpegs(self, tmp_path: Path) -> None:
        whole = encode_jpeg(numbered(3))
        assert decode_jpeg(whole).shape == (240, 320, 3)
        for data in (b"", b"\xff\xd8", whole[: len(whole) // 2], b"\xff\xd8" + b"junk" * 99, whole[1:]):
            with pytest.raises(DecodeError, match="frame: "):
                decode_jpeg(data)
            path = tmp_path / "a.jpg"
            path.write_bytes(data)
            with pytest.raises((DecodeError, SourceUnsupported), match=r"a\.jpg"):
                read_image(path)

    @pytest.mark.parametrize("data", [png_header(20_000, 20_000), png_header(0, 0), b"GIF89a" + b"\0" * 99])
    def test_sizes_out_of_bounds_and_unknown_formats(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(data)
        with pytest.raises(SourceError, match=r"20000x20000|0x0|not a picture"):
            read_image(path)

    def test_large_jpeg_is_refused_by_its_header(self) -> None:
        whole = bytearray(encode_jpeg(numbered(3)))
        at = whole.index(b"\xff\xc0")
        whole[at + 5 : at + 9] = struct.pack(">HH", 20_000, 20_000)
        with pytest.raises(SourceUnsupported, match="20000x20000"):
            decode_jpeg(bytes(whole))

    @pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".jpg"])
    def test_formats_come_back_as_they_were(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"a{suffix}"
        cv2.imwrite(str(path), numbered(5, (64, 32)))
        assert np.abs(read_image(path).astype(int) - numbered(5, (64, 32))).mean() < 8

    def test_encoder_refuses_what_is_no_picture(self) -> None:
        with pytest.raises(ShapeError):
            encode_jpeg(np.zeros((0, 0, 3), np.uint8))
        with pytest.raises(DecodeError, match="70000x2"):
            encode_jpeg(np.zeros((2, 70_000, 3), np.uint8))


class TestWriter:
    @pytest.mark.parametrize("size_wh", [(320, 240), (321, 241), (2, 2)])
    def test_film_reads_back(self, tmp_path: Path, size_wh: tuple[int, int]) -> None:
        path = tmp_path / "out.mp4"
        with VideoWriter(path, size_wh, 12.5) as writer:
            for number in range(30):
                writer.write(np.full((size_wh[1], size_wh[0], 3), number * 8, np.uint8))
        with open_source(parse_source(str(path)), width=None) as source:
            frames = list(source)
            assert source.fps == pytest.approx(12.5)
        assert len(frames) == 30
        assert frames[0].size_wh == (size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2)
        assert float(frames[20].frame_bgr.mean()) == pytest.approx(160, abs=6)
        data = path.read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")

    def test_wrong_size_and_unwritable_place_are_told(self, tmp_path: Path) -> None:
        with VideoWriter(tmp_path / "out.mp4", (64, 48), 5) as writer:
            writer.write(np.zeros((48, 64, 3), np.uint8))
            with pytest.raises(ShapeError, match="64x48"):
                writer.write(np.zeros((49, 64, 3), np.uint8))
        with pytest.raises(SourceError, match="can't be written"):
            VideoWriter(tmp_path / "no" / "out.mp4", (64, 48), 5)

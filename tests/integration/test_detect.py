"""The verb `detect`, as it is typed."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ConfigError
from maskwatch.media.writer import VideoWriter
from tests.support import ROOT
from tests.support_worker import astronaut_bgr, moving_face, require_shipped_models
from workers import window
from workers.findings import CSV_COLUMNS

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def _models() -> None:
    require_shipped_models()


def detect(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [sys.executable, "-m", "maskwatch", "detect", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert ended.returncode == code, ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    return ended


def items(ended: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ended.stdout)["items"]
    return found


def image(path: Path, picture_bgr: UInt8Array) -> Path:
    assert cv2.imwrite(str(path), picture_bgr)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def film(path: Path, frames: int = 15, fps: float = 5.0, *, empty: bool = False) -> Path:
    blank = np.full((360, 640, 3), 90, np.uint8)
    with VideoWriter(path, (640, 360), fps) as writer:
        for number in range(frames):
            writer.write(blank if empty else moving_face(number))
    return path


def test_picture_gives_an_annotated_copy_json_and_csv(tmp_path: Path) -> None:
    picture = image(tmp_path / "one.png", astronaut_bgr())
    out = tmp_path / "out"
    (item,) = items(detect(picture, "--out", out, "--json"))
    assert item["summary"]["people_by_verdict"]["without_mask"] == 1
    assert item["people"][0]["label"] == item["people"][0]["verdict"] == "without_mask"
    left, top, right, bottom = item["people"][0]["box_xyxy"]
    assert 150 < left < right < 330
    assert 40 < top < bottom < 240
    annotated = cv2.imread(str(out / "one.annotated.jpg"))
    assert annotated is not None
    assert annotated.shape == (512, 512, 3)
    assert np.abs(annotated.astype(int) - astronaut_bgr()).max() > 100
    said = json.loads((out / "one.json").read_text())
    assert said["frames"][0]["people"] == item["people"]
    rows = rows_of(out / "one.csv")
    assert tuple(rows[0]) == CSV_COLUMNS
    assert rows[0]["verdict"] == "without_mask"


def test_video_gives_a_film_that_browsers_play_and_a_timeline(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = detect(film(tmp_path / "walk.mp4"), "--out", out)
    assert "walk.mp4" in ended.stdout
    said = json.loads((out / "walk.json").read_text())
    assert said["summary"]["people"] == 1
    assert said["summary"]["people_by_verdict"]["without_mask"] == 1
    assert [frame["frame"] for frame in said["frames"]] == list(range(15))
    assert {person["track"] for frame in said["frames"] for person in frame["people"]} == {1}
    with av.open(str(out / "walk.annotated.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sum(1 for _ in container.decode(stream)) == 15
    rows = rows_of(out / "walk.csv")
    assert float(rows[-1]["time_s"]) == pytest.approx(14 / 5)


def test_every_analyses_one_picture_of_so_many_and_keeps_the_time(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (item,) = items(detect(film(tmp_path / "walk.mp4", 30, 15.0), "--every", "3", "--out", out, "--json"))
    assert item["summary"]["frames"] == 10
    with av.open(str(out / "walk.annotated.mp4")) as container:
        assert float(container.duration or 0) / av.time_base == pytest.approx(2.0, abs=0.1)


def test_folder_is_looked_at_file_by_file_and_a_bad_one_doesnt_stop_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    image(folder / "a.png", astronaut_bgr())
    (folder / "b.jpg").write_bytes(b"")
    image(folder / "c.jpg", np.full((100, 100, 3), 90, np.uint8))
    (folder / "notes.txt").write_text("not looked at")
    film(folder / "d.mp4")
    ended = detect(folder, "--json", code=1)
    found = {Path(item["input"]).name: item for item in items(ended)}
    assert sorted(found) == ["a.png", "b.jpg", "c.jpg", "d.mp4"]
    assert "empty (0 bytes)" in found["b.jpg"]["error"]
    assert found["a.png"]["summary"]["people"] == found["d.mp4"]["summary"]["people"] == 1
    assert found["c.jpg"]["error"] is None
    assert "c.jpg: no faces found" in ended.stderr


def test_bad_inputs_each_say_what_is_wrong_and_exit_code_is_1(tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.mp4")
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:300])
    (tmp_path / "zero.mp4").write_bytes(b"")
    (tmp_path / "words.jpg").write_text("this is no picture")
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    (tmp_path / "huge.png").write_bytes(header + (20_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00")
    (tmp_path / "none.png").write_bytes(header + bytes(8) + b"\x08\x02\x00\x00\x00")
    (tmp_path / "empty").mkdir()
    names = ["cut.mp4", "zero.mp4", "words.jpg", "huge.png", "none.png", "empty", "missing.jpg"]
    ended = detect(*[tmp_path / name for name in names], whole, "--json", code=1)
    errors = {Path(item["input"]).name: item["error"] for item in items(ended)}
    assert errors.pop("whole.mp4") is None
    assert sorted(errors) == sorted(names)
    for name, words in {
        "words.jpg": "not a picture", "huge.png": "20000x20000", "none.png": "0x0", "empty": "no pictures or videos",
        "missing.jpg": "no such file", "zero.mp4": "empty",
    }.items():  # fmt: skip
        assert words in errors[name], errors[name]
    for name, error in errors.items():
        assert name in error
        assert error in ended.stderr


def test_video_that_breaks_off_keeps_what_was_found(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mkv"
    frames = [moving_face(number) for number in range(50)]
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuvj420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode(None))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (item,) = items(detect(cut, "--out", tmp_path / "out", "--json", code=1))
    assert item["error"]
    assert item["summary"]["people"] == 1
    assert 10 < item["summary"]["frames"] < 40
    assert json.loads((tmp_path / "out" / "cut.json").read_text())["error"] == item["error"]


def test_video_without_faces_says_so(tmp_path: Path) -> None:
    ended = detect(film(tmp_path / "room.mp4", empty=True))
    assert "room.mp4: no faces found" in ended.stderr


def test_same_names_from_two_folders_get_files_of_their_own(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        image(tmp_path / name / "same.jpg", astronaut_bgr())
    detect(tmp_path / "x" / "same.jpg", tmp_path / "y" / "same.jpg", "--out", tmp_path / "out")
    assert (tmp_path / "out" / "same.annotated.jpg").exists()
    assert (tmp_path / "out" / "same-2.annotated.jpg").exists()


def test_haar_can_be_chosen(tmp_path: Path) -> None:
    picture = image(tmp_path / "one.png", astronaut_bgr())
    said = json.loads(detect(picture, "--detector", "haar", "--json").stdout)
    assert said["detector"] == "haar"
    assert said["items"][0]["summary"]["people"] >= 1


def test_show_without_windows_says_what_to_install(tmp_path: Path) -> None:
    picture = image(tmp_path / "one.png", astronaut_bgr())
    if "GUI:" not in cv2.getBuildInformation() or "NONE" not in cv2.getBuildInformation().split("GUI:")[1][:40]:
        pytest.skip("this OpenCV has windows")
    ended = detect(picture, "--show", code=2)
    assert "pip install 'opencv-python>=4.12,<5'" in ended.stderr


def test_show_without_a_screen_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "\n  GUI:                           QT5\n")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ConfigError, match="no screen"):
        window.require_window()


def test_folder_for_files_that_cant_be_made_is_an_error_of_usage(tmp_path: Path) -> None:
    picture = image(tmp_path / "one.png", astronaut_bgr())
    ended = detect(picture, "--out", picture / "below", code=2)
    assert "can't be made" in ended.stderr

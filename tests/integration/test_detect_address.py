"""A picture at an address is looked at as a picture is, and not as a film of one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import cv2
import pytest

from tests.support_worker import astronaut_bgr, require_shipped_models
from workers.inputs import InputKind, expand


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    assert cv2.imwrite(str(tmp_path / "photo.jpg"), astronaut_bgr())
    (tmp_path / "text.jpg").write_text("hello")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("http://host/photo.jpg", InputKind.IMAGE),
        ("https://me:pw@host/a/photo.PNG?size=large", InputKind.IMAGE),
        ("http://host/video.mjpg", InputKind.STREAM),
        ("http://host/", InputKind.STREAM),
        ("rtsp://host/still.jpg", InputKind.STREAM),
    ],
)
def test_address_of_a_picture_is_told_by_its_name(word: str, kind: InputKind) -> None:
    inputs, problems = expand([word])
    assert not problems
    assert inputs[0].kind is kind


@pytest.mark.timeout(180)
def test_picture_at_an_address_is_looked_at_as_one(address: str, tmp_path: Path) -> None:
    require_shipped_models()
    out = tmp_path / "out"
    ended = subprocess.run(
        [sys.executable, "-m", "maskwatch", "detect", f"{address}/photo.jpg?x=1", f"{address}/text.jpg", "--json",
         "--out", out],
        capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    photo, text = json.loads(ended.stdout)["items"]
    assert (photo["kind"], photo["summary"]["people_by_verdict"]["without_mask"]) == ("image", 1)
    assert sorted(path.name for path in out.iterdir()) == ["stream.annotated.jpg", "stream.csv", "stream.json"]
    assert "text.jpg: " in text["error"]
    assert ended.returncode == 1

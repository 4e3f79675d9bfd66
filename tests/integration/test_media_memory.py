"""What an open source keeps of the pictures that it has given."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest

from maskwatch.media import open_source
from maskwatch.media.loaded import Loaded
from maskwatch.media.video import VideoSource
from maskwatch.settings import parse_source
from tests.support_media import write_film


class Picture:
    """Stands for a decoded one, which can't be watched."""


def test_picture_that_was_given_is_not_kept_until_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[weakref.ref[Picture]] = []

    def decode(_packet: object, *, may_begin: bool) -> list[Picture]:
        pictures = [Picture(), Picture()]
        decoded.extend(weakref.ref(picture) for picture in pictures)
        return pictures

    black_bgr = np.zeros((2, 2, 3), np.uint8)
    with open_source(parse_source(str(write_film(tmp_path / "film.mp4", 12)))) as source:
        assert isinstance(source, VideoSource)
        monkeypatch.setattr(source._thrift, "decode", decode)
        monkeypatch.setattr(
            source, "_take", lambda _picture: Loaded(0.0, 0.0, source_bgr=black_bgr, width=None, rotate=0)
        )
        for number in range(6):
            assert source.grab() is not None
            assert decoded[number]() is None

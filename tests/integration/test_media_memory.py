"""What an open source keeps of the pictures that it has given."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from maskwatch.media import open_source
from maskwatch.settings import parse_source
from tests.support_media import write_film


def decoded() -> int:
    """Count all decoded pictures that there are; the one that a decoder will fill next has no size yet."""
    return sum(1 for found in gc.get_objects() if isinstance(found, VideoFrame) and found.width)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_picture_that_was_given_is_not_kept_until_the_next(tmp_path: Path, b_frames: int) -> None:
    film = write_film(tmp_path / "film.mp4", 12, b_frames=b_frames)
    gc.collect()
    others = decoded()
    with open_source(parse_source(str(film))) as source:
        for _ in range(5):
            grab = source.grab()
            assert grab is not None
            grab.frame()
            del grab
            assert decoded() == others

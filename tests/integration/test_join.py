"""Parts of an annotated video, of whatever length interruptions left them, become one film."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from maskwatch.errors import JobError
from maskwatch.media.writer import VideoWriter
from workers.jobs.join import join_parts

FPS = 10


def part(path: Path, first: int, pictures: int) -> Path:
    """A film whose pictures get brighter from one to the next, by their number in the whole."""
    with VideoWriter(path, (64, 48), FPS) as writer:
        for number in range(first, first + pictures):
            writer.write(np.full((48, 64, 3), 5 * number, np.uint8))
    return path


@pytest.mark.parametrize("lengths", [(1, 5), (2, 5), (5, 1, 5), (1, 1, 1), (8, 2, 1, 30), (4, 3, 2, 1), (40,)])
def test_parts_of_any_length_follow_one_another(lengths: tuple[int, ...], tmp_path: Path) -> None:
    begins = [sum(lengths[:at]) for at in range(len(lengths))]
    parts = [
        part(tmp_path / f"part-{at}.mp4", first, pictures)
        for at, (first, pictures) in enumerate(zip(begins, lengths, strict=True))
    ]
    joined = tmp_path / "whole.mp4"
    join_parts(parts, joined)
    with av.open(str(joined)) as film:
        pictures = list(film.decode(video=0))
    times = [picture.time for picture in pictures]
    assert times == pytest.approx([number / FPS for number in range(sum(lengths))])
    shown = [float(picture.to_ndarray(format="gray").mean()) for picture in pictures]
    assert shown == sorted(shown)
    assert len({round(level) for level in shown}) == len(shown)


def test_part_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "part-2.mp4").write_bytes(b"half a film")
    with pytest.raises(JobError, match="can't be joined"):
        join_parts([part(tmp_path / "part-1.mp4", 0, 3), tmp_path / "part-2.mp4"], tmp_path / "whole.mp4")

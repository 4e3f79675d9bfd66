"""A still RTSP camera through a real ingest and a real Redis: what is left out is counted, to the frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.broker.connect import connect
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import Done
from maskwatch.types import DropReason, FrameResult, FrameStatus
from tests.support import wait_for
from tests.support_ingest import GENEROUS_S, ingest
from tests.support_media import numbered, rtsp_server, write_film
from tests.support_redis import redis_server

pytestmark = pytest.mark.timeout(6 * GENEROUS_S)


def test_still_camera_is_live_while_few_frames_of_it_are_analysed(tmp_path: Path) -> None:
    film = write_film(
        tmp_path / "film.mp4", 100, fps=10, keyframe_every=10, draw=lambda _, size_wh: numbered(3, size_wh)
    )
    with redis_server() as url, rtsp_server({"path": "/film", "file": str(film), "loop": True}) as server:
        queue = FrameQueue(connect(url))
        analysed: list[float] = []

        def analyse() -> None:
            for one in queue.take(1, 0):
                queue.done([Done(one.camera, one.epoch, one.token, FrameResult(FrameStatus.OK, one.size_wh), b"")])
                analysed.append(one.media_time_s)

        def is_still() -> bool:
            analyse()
            view = process.view("hall")
            return view is not None and view.status is not None and view.status.is_still

        def has_rested() -> bool:
            analyse()
            return process.counts("hall").dropped[DropReason.STILL] >= before.dropped[DropReason.STILL] + 30

        with ingest(url, tmp_path, {"hall": {"source": server.url("/film"), "timeout_s": 20}}) as process:
            wait_for(is_still, GENEROUS_S, "stillness")
            before = process.counts("hall")
            wait_for(has_rested, GENEROUS_S, "frames that are left out")
            view = process.await_state("hall", "live")
            assert view.packet_age_s is not None
            assert view.packet_age_s < 3
        counts = process.counts("hall")
        dropped = sum(counts.dropped.values())
        assert counts.captured == counts.analysed + dropped + counts.waiting + counts.in_flight
        assert counts.analysed - before.analysed < (counts.captured - before.captured) / 3
        assert len(analysed) == counts.analysed

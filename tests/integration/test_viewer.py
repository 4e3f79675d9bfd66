"""What viewers are shown: the newest picture that was analysed, with what was said of it."""

from __future__ import annotations

import redis

from maskwatch.broker import keys
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.viewer import Viewer
from maskwatch.types import MaskLabel, Person, Verdict
from tests.support_queue import done, held, offer, result

SOMEBODY = Person(1, (0.1, 0.1, 0.2, 0.2), 0.9, MaskLabel.WITH_MASK, (1.0, 0.0, 0.0), Verdict.WITH_MASK)


def test_picture_and_result_belong_together(each_redis: redis.Redis) -> None:
    queue = FrameQueue(each_redis)
    viewer = Viewer(each_redis)
    (hold, _) = held(each_redis, "lobby", "yard")
    for cameras in ([], ["lobby", "nowhere"]):
        assert viewer.versions(cameras) == {}
        assert viewer.fetch(cameras) == {}
    for number in (1, 2):
        queue.offer(offer(hold, number, age_s=1.0))
        queue.done([done(queue.take(1)[0], result(SOMEBODY, note=str(number)))])
    queue.offer(offer(hold, 3))
    queue.take(1)
    assert viewer.versions(["lobby", "yard"]) == {"lobby": "nonce-2"}
    (shown,) = viewer.fetch(["yard", "lobby"]).values()
    assert (shown.camera, shown.frame_id, shown.jpeg) == ("lobby", "nonce-2", offer(hold, 2).jpeg)
    assert (shown.result, shown.size_wh) == (result(SOMEBODY, note="2"), (64, 48))
    assert 1.0 <= shown.age_s < 60.0
    each_redis.hset(keys.camera_key("lobby"), "result", b"\xc1")
    assert viewer.fetch(["lobby"]) == {}

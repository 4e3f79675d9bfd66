"""Short ways to say what the tests of the queue say often."""

from __future__ import annotations

from collections.abc import Mapping

import redis

from maskwatch.broker import keys
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.counts import CameraCounts, Counts, CountsSnapshot
from maskwatch.broker.messages import CameraInfo, Done, Hold, Offer, Taken
from maskwatch.types import DropReason, FrameResult, FrameStatus, Person

__all__ = [
    "count",
    "counts",
    "done",
    "expire_hold",
    "expire_lease",
    "held",
    "offer",
    "result",
]


def held(client: redis.Redis, *cameras: str, ingest: str = "ingest") -> list[Hold]:
    """Register cameras and hold them."""
    book = CameraBook(client)
    book.register([CameraInfo(camera) for camera in cameras])
    holds = [book.hold(camera, ingest) for camera in cameras]
    return [hold for hold in holds if hold is not None]


def offer(
    hold: Hold, number: int, *, age_s: float = 0.0, dropped: Mapping[DropReason, int] | None = None, size: int = 10
) -> Offer:
    """Make the n-th frame of a camera, whose picture says whose and which it is."""
    jpeg = f"{hold.camera} {number} ".encode().ljust(size, b".")
    return Offer(hold.camera, hold.epoch, f"nonce-{number}", jpeg, (64, 48), age_s, number / 5, dropped or {})


def result(*people: Person, **fields: object) -> FrameResult:
    """Make a result that is fine."""
    return FrameResult(FrameStatus.OK, (64, 48), people, **fields)  # type: ignore[arg-type]


def done(taken: Taken, said: FrameResult | None = None, state: bytes = b"") -> Done:
    """Finish a turn."""
    return Done(taken.camera, taken.epoch, taken.token, said or result(), state)


def counts(client: redis.Redis) -> CountsSnapshot:
    """Read the counters, which have to balance."""
    snapshot = Counts.read(client)
    assert snapshot.balanced, snapshot
    return snapshot


def count(client: redis.Redis, camera: str) -> CameraCounts:
    """Read the counters of one camera, which have to balance."""
    return counts(client).cameras[camera]


def expire_lease(client: redis.Redis, *cameras: str) -> None:
    """Let leases run out now."""
    for camera in cameras:
        assert client.zscore(keys.LEASES, camera) is not None
        client.zadd(keys.LEASES, {camera: 1})


def expire_hold(client: redis.Redis, camera: str, ago_ms: int = 1) -> None:
    """Let a hold have run out some time ago."""
    seconds, micros = client.time()
    now_ms = seconds * 1000 + micros // 1000
    client.zadd(keys.HOLDS, {camera: now_ms - ago_ms}, xx=True)

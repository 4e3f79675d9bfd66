"""What the site shows: the newest analysed picture of a camera, with the result that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import redis
import structlog

from maskwatch.broker import keys, wire
from maskwatch.broker.connect import translated
from maskwatch.broker.messages import Shown
from maskwatch.errors import WireError

__all__ = ["Viewer"]

_FIELDS = ["shown_id", "shown_meta", "shown_at", "shown_age", "result"]


class Viewer:
    """Reads analysed pictures.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Use a client as `connect` makes it."""
        self._client = client
        self._log = structlog.get_logger()

    def versions(self, cameras: Sequence[str]) -> dict[str, str]:
        """Return the newest analysed frame's id of each camera that has one; one round trip."""
        if not cameras:
            return {}
        with translated(self._client, "looking for new pictures"), self._client.pipeline(transaction=False) as batch:
            for camera in cameras:
                batch.hget(keys.camera_key(camera), "shown_id")
            ids = cast(list[bytes | None], batch.execute())
        return {camera: found.decode() for camera, found in zip(cameras, ids, strict=True) if found is not None}

    def fetch(self, cameras: Sequence[str]) -> dict[str, Shown]:
        """Return picture and result of each camera that has them; one round trip, one transaction.

        A camera whose result can't be read is left out and logged.
        """
        if not cameras:
            return {}
        with translated(self._client, "reading pictures"), self._client.pipeline(transaction=True) as batch:
            batch.time()
            for camera in cameras:
                batch.get(keys.shown_key(camera))
                batch.hmget(keys.camera_key(camera), _FIELDS)
            (seconds, micros), *answers = batch.execute()
        now_ms = seconds * 1000 + micros // 1000
        shown = {}
        for camera, jpeg, fields in zip(cameras, answers[::2], answers[1::2], strict=True):
            if jpeg is None or None in fields:
                continue
            try:
                shown[camera] = _shown(camera, jpeg, fields, now_ms)
            except WireError as error:
                self._log.warning("result.unreadable", camera=camera, error=str(error))
        return shown


def _shown(camera: str, jpeg: bytes, fields: Sequence[bytes], now_ms: int) -> Shown:
    frame_id, meta, at_ms, age_ms, result = fields
    where = f"camera {camera}"
    return Shown(
        camera=camera,
        frame_id=frame_id.decode(),
        jpeg=jpeg,
        size_wh=wire.unpack_meta(meta, where).size_wh,
        result=wire.unpack_result(result, where),
        age_s=max(0, int(age_ms) + now_ms - int(at_ms)) / 1000,
    )

"""Load on the frame queue, made by helper processes: producers that offer, consumers that take and finish."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.connect import connect
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import CameraInfo, Done, Hold, Offer, OfferStatus
from maskwatch.broker.shedding import SheddingBook
from maskwatch.errors import QueueError
from maskwatch.shedding import Shedding, Thinner
from maskwatch.types import DropReason, FrameResult, FrameStatus, MaskLabel, Person, Profile, Verdict
from workers.bench.pictures import SIZE_WH, load_jpegs

__all__ = ["camera_names", "consume_job", "produce_job"]

_RENEW_EVERY_S = 1.5
_LOOK_EVERY_S = 1.0
_TOGETHER = 8
"""Frames offered at once: ingest sends those together that become due while others are on their way."""
_PAUSE_S = 0.003
"""While most cameras have a frame waiting: 32 frames last longer, and asking more often would cost the server."""
_GOLDEN = 0.618
"""Multiples of it modulo 1 are spread evenly: neighbours leave out frames at different times, as cameras do."""
_STATE = b"s" * 2000
_PERSON = Person(
    1, (0.25, 0.25, 0.5, 0.5), 0.9, MaskLabel.WITH_MASK, (0.9, 0.05, 0.05), Verdict.WITH_MASK
)  # fmt: skip
_RESULT = FrameResult(FrameStatus.OK, SIZE_WH, (_PERSON,) * 3, (), "bench")


def camera_names(count: int) -> list[str]:
    """Return the names of so many cameras."""
    return [f"camera-{number:04d}" for number in range(count)]


def produce_job(spec: Mapping[str, Any], wait_for_start: Callable[[], None]) -> dict[str, Any]:
    """Hold cameras and offer frames.

    Args:
        spec: `url` of Redis; `ingest`, the holder's name; `cameras`, their names; `fps` of each, or None for as many
            as are taken, with a pause while more than `most_ready` cameras wait; `seconds`; `folder` of JPEGs, or
            `size_bytes` of bytes that stand in for one; `profile`; `gives_way`, whether frames are left out and
            counted as ingest does when the workers can't keep up.
        wait_for_start: called once the cameras are held.

    Returns:
        offered: accepted frames; offer_ms: round trips; cpu_s: processor time.

    Raises:
        QueueError: if a camera can't be held, or Redis fails.
    """
    jpegs = load_jpegs(Path(spec["folder"])) if spec["folder"] else [b"\xff\xd8".ljust(spec["size_bytes"], b".")]
    with connect(spec["url"]) as client:
        levels = SheddingBook(client) if spec["gives_way"] else None
        producer = _Producer(spec, CameraBook(client), FrameQueue(client), jpegs, levels)
        wait_for_start()
        began_cpu_s = time.process_time()
        if spec["fps"] is None:
            producer.flat_out(spec["seconds"], spec["most_ready"])
        else:
            producer.paced(spec["seconds"], spec["fps"])
        cpu_s = time.process_time() - began_cpu_s
    return {"offered": producer.offered, "offer_ms": producer.offer_ms, "cpu_s": cpu_s}


class _Producer:
    """Cameras that are held, and the frames that were offered."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        book: CameraBook,
        queue: FrameQueue,
        jpegs: Sequence[bytes],
        levels: SheddingBook | None,
    ) -> None:
        self.offered = 0
        self.offer_ms: list[float] = []
        self._book = book
        self._queue = queue
        self._jpegs = jpegs
        self._levels = levels
        self._looked_s = 0.0
        self._factor = 1.0
        self._thinners = {name: Thinner(at * _GOLDEN % 1.0) for at, name in enumerate(spec["cameras"])}
        self._shed: Counter[str] = Counter()
        self._nonce = spec["ingest"]
        self._number = 0
        self._renewed_s = time.monotonic()
        profile = Profile(spec["profile"])
        fps = 60.0 if spec["fps"] is None else spec["fps"]
        book.register([CameraInfo(name, "bench", fps=fps, profile=profile) for name in spec["cameras"]])
        holds = [book.hold(name, spec["ingest"]) for name in spec["cameras"]]
        self._holds: list[Hold] = [hold for hold in holds if hold is not None]
        if len(self._holds) != len(holds):
            raise QueueError("bench: cameras of these names are held by somebody else; use a Redis of its own")

    def flat_out(self, seconds: float, most_ready: int) -> None:
        """Offer frames of all cameras in turn, some together, as fast as they are taken.

        A frame that replaces a waiting one would cost the server what one more frame should; so there is a pause while
        most cameras have one waiting.
        """
        ends_s = time.monotonic() + seconds
        began_s = time.monotonic()
        while time.monotonic() < ends_s:
            for at in range(0, len(self._holds), _TOGETHER):
                media_time_s = time.monotonic() - began_s
                self._offer([(hold, media_time_s, 0.0) for hold in self._holds[at : at + _TOGETHER]])
                while self._queue.ready() > most_ready and time.monotonic() < ends_s:
                    time.sleep(_PAUSE_S)
            self._renew()

    def paced(self, seconds: float, fps: float) -> None:
        """Offer each camera's frames at a rate, the cameras one after the other; what comes too late is left out."""
        interval_s = 1.0 / fps
        began_s = time.monotonic()
        due = [(at / len(self._holds) * interval_s, hold) for at, hold in enumerate(self._holds)]
        step = 0
        while (now_s := time.monotonic() - began_s) < seconds:
            frames: list[tuple[Hold, float, float]] = []
            while len(frames) < _TOGETHER and (due_s := _due_s(step, due, interval_s)) <= now_s:
                if now_s - due_s <= interval_s and self._keeps(hold := due[step % len(due)][1]):
                    frames.append((hold, due_s, now_s - due_s))
                step += 1
            if frames:
                self._offer(frames)
            self._renew()
            self._give_way()
            left_s = _due_s(step, due, interval_s) - (time.monotonic() - began_s)
            if left_s > 0:
                time.sleep(min(left_s, 0.05))

    def _offer(self, frames: Sequence[tuple[Hold, float, float]]) -> None:
        """Offer frames of different cameras: hold, media time and age in seconds."""
        offers = []
        for hold, media_time_s, age_s in frames:
            self._number += 1
            jpeg = self._jpegs[self._number % len(self._jpegs)]
            frame_id = f"{self._nonce}-{self._number}"
            shed = self._shed.pop(hold.camera, 0)
            dropped = {DropReason.SHED: shed} if shed else {}
            offers.append(Offer(hold.camera, hold.epoch, frame_id, jpeg, SIZE_WH, age_s, media_time_s, dropped))
        began_s = time.perf_counter()
        statuses = self._queue.offer_many(offers)
        self.offer_ms.append(round((time.perf_counter() - began_s) * 1000, 3))
        self.offered += statuses.count(OfferStatus.ACCEPTED)

    def _keeps(self, hold: Hold) -> bool:
        """Tell whether a frame is offered, and count it with the next one of its camera where it isn't."""
        is_kept = self._thinners[hold.camera].keeps(self._factor)
        self._shed[hold.camera] += not is_kept
        return is_kept

    def _give_way(self) -> None:
        """Look at the level of shedding once a second, as ingest does."""
        now_s = time.monotonic()
        if self._levels is not None and now_s - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = now_s
            self._factor = Shedding(self._levels.level()).fps_factor

    def _renew(self) -> None:
        now_s = time.monotonic()
        if now_s - self._renewed_s >= _RENEW_EVERY_S:
            self._renewed_s = now_s
            self._book.renew(self._holds)


def _due_s(step: int, due: Sequence[tuple[float, Hold]], interval_s: float) -> float:
    """Return when a step is due, in seconds from the start."""
    turn, at = divmod(step, len(due))
    return turn * interval_s + due[at][0]


def consume_job(spec: Mapping[str, Any], wait_for_start: Callable[[], None]) -> dict[str, Any]:
    """Take frames and finish them at once, with a state of 2 kB and a result of three people.

    Args:
        spec: `url` of Redis, `batch`, `seconds`.
        wait_for_start: called once the connection is made.

    Returns:
        frames, take_ms (of takes that brought something), done_ms, cpu_s: processor time.

    Raises:
        QueueError: if Redis fails.
    """
    frames, take_ms, done_ms = 0, [], []
    with connect(spec["url"], blocking=True) as client:
        queue = FrameQueue(client)
        queue.take(spec["batch"], 0.0)
        wait_for_start()
        began_cpu_s, ends_s = time.process_time(), time.monotonic() + spec["seconds"]
        while time.monotonic() < ends_s:
            began_s = time.perf_counter()
            taken = queue.take(spec["batch"], 0.2)
            taken_s = time.perf_counter()
            if not taken:
                continue
            queue.done([Done(one.camera, one.epoch, one.token, _RESULT, _STATE) for one in taken])
            take_ms.append(round((taken_s - began_s) * 1000, 3))
            done_ms.append(round((time.perf_counter() - taken_s) * 1000, 3))
            frames += len(taken)
        cpu_s = time.process_time() - began_cpu_s
    return {"frames": frames, "take_ms": take_ms, "done_ms": done_ms, "cpu_s": cpu_s}

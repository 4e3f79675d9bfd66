"""What goes into the pipeline and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from maskwatch.arrays import UInt8Array
from maskwatch.broker.messages import Taken, TakenKind
from maskwatch.events import Record
from maskwatch.shedding import Shedding
from maskwatch.types import Detection, FrameResult, Profile, Snapshots, StreamFaces
from maskwatch.zones import Rule, Zone
from workers.rules import Wish

__all__ = ["PipelineItem", "PipelineOutput", "boxes_unit", "item_of"]


@dataclass(frozen=True, slots=True, eq=False)
class PipelineItem:
    """A camera's turn.

    Attributes:
        camera: whose.
        epoch: tracks of another one are closed.
        kind: a frame, or the end of all tracks.
        media_time_s: seconds within the epoch.
        jpeg: the picture, unless `frame_bgr` is given.
        frame_bgr: (H, W, 3) uint8; not modified.
        state: what the camera's last turn left, or empty; ignored when the camera had a turn earlier in the batch.
        detector: name of the face detector.
        profile: how much work the detector is given.
        zones: of the camera.
        rules: of the camera.
        snapshots: which pictures of violations may be kept.
        stream: how faces look in live pictures; where they are blurred the result says where all of them are.
        wall_time_utc: when it was captured, with a time zone; None: no records are wanted.
    """

    camera: str
    epoch: str
    kind: TakenKind
    media_time_s: float
    jpeg: bytes = b""
    frame_bgr: UInt8Array | None = None
    state: bytes = b""
    detector: str = "maskwatch"
    profile: Profile = Profile.ACCURATE
    zones: tuple[Zone, ...] = ()
    rules: tuple[Rule, ...] = ()
    snapshots: Snapshots = Snapshots.NONE
    stream: StreamFaces = StreamFaces.FULL
    wall_time_utc: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PipelineOutput:
    """What came of a turn.

    Attributes:
        camera: whose.
        result: what the analysis says.
        state: for the camera's next turn, less than 8 KB.
        frame_bgr: the picture, or None when there was none.
        records: to keep before this turn is finished: events, and people who have gone.
        wishes: pictures of this frame that belong to them.
        faces: everything in the picture that may be a face, poor detections included.
        flips: looks that said something else of a person than the look before.
    """

    camera: str
    result: FrameResult
    state: bytes
    frame_bgr: UInt8Array | None
    records: tuple[Record, ...] = ()
    wishes: tuple[Wish, ...] = ()
    faces: tuple[Detection, ...] = ()
    flips: int = 0


def boxes_unit(faces: Sequence[Detection], size_wh: tuple[int, int]) -> tuple[tuple[float, float, float, float], ...]:
    """Return the boxes of faces in 0..1 of a picture's width and height.

    Args:
        faces: in pixels.
        size_wh: of the picture.
    """
    width, height = size_wh
    boxes = (face.box_xyxy for face in faces)
    return tuple((left / width, top / height, right / width, bottom / height) for left, top, right, bottom in boxes)


def item_of(taken: Taken, time_utc: datetime | None, shedding: Shedding) -> PipelineItem:
    """Return a turn as the pipeline takes it.

    Args:
        taken: from the queue.
        time_utc: now, or None when no records are wanted.
        shedding: what gives way because the workers can't keep up.
    """
    return PipelineItem(
        camera=taken.camera,
        epoch=taken.epoch,
        kind=taken.kind,
        media_time_s=taken.media_time_s,
        jpeg=taken.jpeg,
        state=taken.state,
        detector=taken.info.detector,
        profile=Profile.FAST if shedding.is_fast else taken.info.profile,
        zones=taken.info.zones,
        rules=taken.info.rules,
        snapshots=taken.info.snapshots,
        stream=taken.info.stream,
        wall_time_utc=None if time_utc is None else time_utc - timedelta(seconds=taken.age_s),
    )

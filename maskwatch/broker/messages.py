"""The values that go into and come out of the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from maskwatch.types import (
    CameraState,
    CameraStatus,
    DropReason,
    EventKind,
    FrameResult,
    Profile,
    Snapshots,
    StreamFaces,
    Verdict,
)
from maskwatch.zones import Rule, Zone

__all__ = [
    "CameraInfo",
    "CameraView",
    "Done",
    "DoneStatus",
    "Hold",
    "Offer",
    "OfferStatus",
    "ProcessInfo",
    "Shown",
    "Taken",
    "TakenKind",
]


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A configured camera as everyone may see it.

    Attributes:
        name: its name in the configuration.
        source: how to recognise it, without credentials.
        enabled: whether anybody should read it.
        fps: frames per second that are to be analysed.
        width: greatest width in pixels of an analysed frame.
        detector: name of the face detector.
        profile: how much work the detector is given.
        on: the only ingest that may hold it, or None.
        snapshots: which pictures of its events may be kept.
        stream: how faces look in its live pictures.
        zones: named parts of its picture.
        rules: what is reported of it.
    """

    name: str
    source: str = ""
    enabled: bool = True
    fps: float = 5.0
    width: int = 640
    detector: str = "maskwatch"
    profile: Profile = Profile.ACCURATE
    on: str | None = None
    snapshots: Snapshots = Snapshots.NONE
    stream: StreamFaces = StreamFaces.FULL
    zones: tuple[Zone, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A camera that an ingest process holds; the epoch changes with every hold, source change and file loop."""

    camera: str
    epoch: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A frame on its way into the queue.

    Attributes:
        camera: whose frame.
        epoch: of the hold under which it was read.
        frame_id: `<nonce of the process>-<counter>`; an id offered twice counts once.
        jpeg: the picture.
        size_wh: its width and height in pixels.
        age_s: seconds from its capture to this call, by a monotonic clock.
        media_time_s: seconds within the epoch, never falling; the tracker's clock.
        dropped: frames that were due since the last accepted offer and weren't offered, by reason.
    """

    camera: str
    epoch: str
    frame_id: str
    jpeg: bytes
    size_wh: tuple[int, int]
    age_s: float
    media_time_s: float
    dropped: Mapping[DropReason, int] = field(default_factory=dict)


class OfferStatus(StrEnum):
    """What became of an offer."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    STALE_EPOCH = "stale_epoch"


class TakenKind(StrEnum):
    """What a worker was handed: a picture, or the word that the camera's tracks are to be closed."""

    FRAME = "frame"
    END = "end"


@dataclass(frozen=True, slots=True)
class Taken:
    """A camera's turn, leased to one worker.

    Attributes:
        camera: whose turn.
        epoch: of the ingest's hold; `Done` must carry it back.
        token: of this lease; `Done` must carry it back.
        kind: a frame, or the end of the tracks (then the fields of the picture are empty).
        frame_id: as offered.
        jpeg: the picture.
        size_wh: its width and height in pixels.
        age_s: seconds from capture to this take.
        media_time_s: as offered.
        state: what the last accepted `Done` of this camera left, or empty.
        info: the camera's public settings.
        alone: whether it was handed out alone because workers died over it.
    """

    camera: str
    epoch: str
    token: str
    kind: TakenKind
    frame_id: str
    jpeg: bytes
    size_wh: tuple[int, int]
    age_s: float
    media_time_s: float
    state: bytes
    info: CameraInfo
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a camera's turn.

    Attributes:
        camera: whose turn.
        epoch: as taken.
        token: as taken.
        result: what the analysis says; its people, labels and closed tracks are what gets counted.
        state: what the next turn of this camera needs, at most 8 KB.
        events: kinds of the events that this turn brought; counted when it is accepted.
        left: zone and final verdict of people who have gone, once for each zone they were in; counted likewise.
        flips: looks that said something else of a person than the look before; counted likewise.
    """

    camera: str
    epoch: str
    token: str
    result: FrameResult
    state: bytes
    events: tuple[EventKind, ...] = ()
    left: tuple[tuple[str, Verdict], ...] = ()
    flips: int = 0


class DoneStatus(StrEnum):
    """What became of a `Done`."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    LEASE_LOST = "lease_lost"
    STALE_EPOCH = "stale_epoch"


@dataclass(frozen=True, slots=True)
class Shown:
    """A camera's newest analysed frame, with the result that belongs to it.

    Attributes:
        camera: whose frame.
        frame_id: changes with every analysed frame.
        jpeg: the picture, without annotations.
        size_wh: its width and height in pixels.
        result: what the analysis says of this very picture.
        age_s: seconds from capture to now.
    """

    camera: str
    frame_id: str
    jpeg: bytes
    size_wh: tuple[int, int]
    result: FrameResult
    age_s: float


@dataclass(frozen=True, slots=True)
class CameraView:
    """What is known of one camera, gathered in one round trip.

    Attributes:
        info: its public settings.
        state: what it is doing, as a viewer should see it: `offline` without a holder, `stalled` when its last packet
            is 3 s old, `failed` when workers die over its frames.
        reason: why, for a person.
        status: what its ingest last published, or None when nobody holds it.
        packet_age_s: seconds since its last packet, now; None before the first.
        frame_age_s: seconds since the capture of the newest analysed frame; None before the first.
        analysed_fps: analysed frames per second over the last seconds.
        people: how many people are present, by verdict.
    """

    info: CameraInfo
    state: CameraState
    reason: str
    status: CameraStatus | None
    packet_age_s: float | None
    frame_age_s: float | None
    analysed_fps: float
    people: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process that registered itself.

    Attributes:
        kind: ingest, worker, web, ...
        name: unique among its kind.
        address: HOST:PORT of its own `/metrics`, or empty.
        host: the machine it runs on.
        engine: of a worker: what runs its networks.
        models: of a worker: names and versions of the models that speak.
        age_s: seconds since its last sign of life.
    """

    kind: str
    name: str
    address: str = ""
    host: str = ""
    engine: str = ""
    models: tuple[str, ...] = ()
    age_s: float = 0.0

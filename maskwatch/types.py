"""The nouns of Maskwatch: the values that every package shares.

Pictures are uint8 arrays in OpenCV's BGR order unless a name says otherwise; boxes are `xyxy` in pixels of the frame
they belong to, or in 0..1 of its width and height where the name says `box_unit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, TypeAlias, get_args

__all__ = [
    "DETECTORS",
    "LABELS",
    "CameraState",
    "CameraStatus",
    "Detection",
    "DetectorName",
    "DropReason",
    "EventKind",
    "FrameResult",
    "FrameStatus",
    "MaskLabel",
    "Person",
    "Profile",
    "Severity",
    "Snapshots",
    "StreamFaces",
    "Verdict",
]


DetectorName: TypeAlias = Literal["maskwatch", "yunet", "haar", "ssd"]

DETECTORS: Final[tuple[str, ...]] = get_args(DetectorName)
"""What finds faces, by name; the first is the default."""


class MaskLabel(StrEnum):
    """What a classifier says of one face in one frame."""

    WITH_MASK = "with_mask"
    WITHOUT_MASK = "without_mask"
    INCORRECT_MASK = "incorrect_mask"


LABELS: tuple[MaskLabel, ...] = tuple(MaskLabel)
"""The order of a classifier's outputs; a model file states its own and is refused when it differs."""


class Verdict(StrEnum):
    """What is held of one track; `UNKNOWN` until there is evidence, and never compliant."""

    WITH_MASK = "with_mask"
    WITHOUT_MASK = "without_mask"
    INCORRECT_MASK = "incorrect_mask"
    UNKNOWN = "unknown"


class Profile(StrEnum):
    """How much work the detector is given."""

    ACCURATE = "accurate"
    FAST = "fast"

    @property
    def detector_size_wh(self) -> tuple[int, int]:
        """Width and height in pixels of the detector's input."""
        return (640, 384) if self is Profile.ACCURATE else (320, 192)


class CameraState(StrEnum):
    """What a camera is doing; see docs/architecture.md for the table of transitions."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    OFFLINE = "offline"
    AUTH_FAILED = "auth_failed"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"
    ENDED = "ended"
    DISABLED = "disabled"


class DropReason(StrEnum):
    """Why a frame that was due has not been analysed."""

    REPLACED = "replaced"
    STALE = "stale"
    STILL = "still"
    DECODE_ERROR = "decode_error"
    LEASE_LOST = "lease_lost"
    REMOVED = "removed"
    BROKER_DOWN = "broker_down"
    SHED = "shed"


class EventKind(StrEnum):
    """Kinds of events that are counted per camera."""

    CAMERA_OFFLINE = "camera_offline"
    CAMERA_ONLINE = "camera_online"
    VIOLATION_STARTED = "violation_started"
    VIOLATION_ENDED = "violation_ended"
    CROWD = "crowd"


class Severity(StrEnum):
    """How much an event matters, as its rule says."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Snapshots(StrEnum):
    """Which pictures of events may be kept of a camera."""

    NONE = "none"
    BLURRED = "blurred"
    FULL = "full"


class StreamFaces(StrEnum):
    """How faces look in a camera's live pictures."""

    FULL = "full"
    BLURRED = "blurred"


class FrameStatus(StrEnum):
    """How the analysis of one frame ended; only `OK` with no people means that nobody is there."""

    OK = "ok"
    DECODE_ERROR = "decode_error"


@dataclass(frozen=True, slots=True)
class Detection:
    """One face box in one frame.

    Attributes:
        box_xyxy: left, top, right, bottom in pixels of the frame, clipped to it; right and bottom are exclusive.
        score: the detector's confidence, 0..1.
        landmarks_xy: five points (right eye, left eye, nose, right and left corner of the mouth, as the person has
            them) in pixels, or empty where the detector gives none.
    """

    box_xyxy: tuple[float, float, float, float]
    score: float
    landmarks_xy: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """One track as it stands in one frame.

    Attributes:
        track_id: number of the track within its camera's epoch, from 1.
        box_unit: left, top, right, bottom in 0..1 of the frame's width and height.
        score: the detector's confidence in this frame, 0..1.
        label: what the classifier said of this face in this frame, or of the same face a moment ago where its
            verdict is settled (see `workers.relook`); None when it wasn't asked (too small, too blurred) or couldn't
            tell.
        probabilities: one per entry of `LABELS`, summing to 1, or empty when `label` is None.
        verdict: the track's smoothed verdict.
        seen: False when the box is the tracker's prediction because the detector missed the face in this frame.
    """

    track_id: int
    box_unit: tuple[float, float, float, float]
    score: float
    label: MaskLabel | None
    probabilities: tuple[float, ...]
    verdict: Verdict
    seen: bool = True


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What the analysis says of one frame.

    Attributes:
        status: how the analysis ended.
        size_wh: width and height in pixels of the analysed frame.
        people: the tracks in this frame, oldest first.
        closed: verdicts of tracks that ended with this frame, one entry a person.
        model: name and version of the classifier that spoke.
        detector: name and version of what found the faces; empty where nothing looked for any.
        note: what went wrong, when `status` isn't `OK`.
        faces: left, top, right, bottom in 0..1 of everything that may be a face, people included, where viewers mustn't
            see faces; None where they may.
    """

    status: FrameStatus
    size_wh: tuple[int, int] = (0, 0)
    people: tuple[Person, ...] = ()
    closed: tuple[Verdict, ...] = ()
    model: str = ""
    note: str = ""
    detector: str = ""
    faces: tuple[tuple[float, float, float, float], ...] | None = None


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What ingest publishes about one camera, about once a second.

    Attributes:
        state: what the camera is doing.
        reason: why, in words for a person; never holds a credential.
        since_utc: when the state began, seconds since 1970 by the ingest's clock; for display only.
        packet_age_s: seconds since the last packet when this was published, or None before the first.
        captured_fps: frames per second that were due and read, over the last seconds.
        reconnects: how often the source was opened again since this ingest took it.
        size_wh: width and height in pixels of the frames that are sent on, (0, 0) before the first.
        holder: name of the ingest process.
        is_still: whether nothing moves, so that a frame is sent every few seconds only; `packet_age_s` tells liveness.
        note: what isn't as it was asked for though pictures come, for a person.
    """

    state: CameraState
    reason: str = ""
    since_utc: float = 0.0
    packet_age_s: float | None = None
    captured_fps: float = 0.0
    reconnects: int = 0
    size_wh: tuple[int, int] = (0, 0)
    holder: str = ""
    is_still: bool = False
    note: str = ""

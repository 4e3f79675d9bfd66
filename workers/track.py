"""Follows faces from frame to frame within one camera: a motion model, optimal assignment, and a second chance.

Pure and functional: `advance` takes the tracks as they were and gives them as they are; time comes in with the frames.
Lengths are in widths of the frame, so that a change of resolution midway disturbs nothing.

Sources: N. Wojke et al., "Simple Online and Realtime Tracking with a Deep Association Metric", 2017 (Kalman filter with
noise in proportion to the size, gating, tentative and confirmed tracks); Y. Zhang et al., "ByteTrack", 2021 (a second
pass with detections of low score).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskwatch.types import Detection
from workers.assign import assign

__all__ = ["MOST_TRACKS", "Step", "Track", "TrackOptions", "Tracks", "advance", "close_all"]

MOST_TRACKS = 50
"""What fits into a camera's state of 8 KB, beside what its rules need."""

_ROUNDING_S = 0.001
"""Times come back from a camera's state in single precision. Frames come at round distances, so what happens after
half a second mustn't depend on whether the state was packed in between."""

_FOUND_NOISE = 0.12
"""Standard deviation of a detected centre, in face sizes."""

_FIRST_SPEED = 4.0
"""Standard deviation of an unknown speed, in face sizes a second: a brisk walk across is about 8."""

_PUSH = 4.0
"""Spectral density of the acceleration, in (face sizes)^2 / s^3: people turn and stop within half a second."""

_GLIDE_S = 0.8
"""How long an unseen face goes on at its decaying speed: a guess for seconds is worse than standing still."""

_SIZE_GAIN = 0.5
_COVERED = 0.4
"""Share of the smaller of two boxes above which they may be the same face; another one waits until they part."""

_REACH = 1.0
_REACH_PER_S = 4.0
"""How far a face may be from its prediction, in face sizes: a turned head moves its box by one, a walk goes on."""

_NEVER = 1e6


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """How tracks begin and end; docs/counts.md says on which videos the defaults were tried.

    Attributes:
        high_score: detections from here on begin tracks; the pipeline puts the detector's own threshold here.
        low_score: detections from here on may continue a confirmed track.
        confirm_hits: detections that make a tentative track a person.
        confirm_s: seconds that they must span; at 30 fps three detections are nothing.
        confirm_px: longest side in pixels that the face must have by then; smaller ones may never get a vote.
        tentative_s: seconds after which an unseen tentative track is forgotten.
        lost_s: seconds after which an unseen confirmed track is closed, unless only one frame has come since.
        shown_s: seconds for which a prediction is shown.
        gap_s: seconds without a frame after which everything starts afresh.
        reach: farthest that a face may be from its prediction, in face sizes.
    """

    high_score: float = 0.6
    low_score: float = 0.4
    confirm_hits: int = 3
    confirm_s: float = 0.5
    confirm_px: float = 20.0
    tentative_s: float = 0.5
    lost_s: float = 2.0
    shown_s: float = 0.5
    gap_s: float = 10.0
    reach: float = 2.5


@dataclass(frozen=True, slots=True)
class Track:
    """One face that is followed.

    Attributes:
        track_id: from 1 within an epoch, never used twice.
        centre: x and y, in widths of the frame.
        speed: of the centre, in widths of the frame a second.
        size: width and height, in widths of the frame.
        spread: variance of the position, covariance, variance of the speed; both axes share them.
        first_s: media time of its first detection.
        seen_s: media time of its last detection.
        hits: detections so far.
        is_confirmed: whether it counts as a person.
        score: of its last detection.
    """

    track_id: int
    centre: tuple[float, float]
    speed: tuple[float, float]
    size: tuple[float, float]
    spread: tuple[float, float, float]
    first_s: float
    seen_s: float
    hits: int
    is_confirmed: bool
    score: float

    @property
    def scale(self) -> float:
        """Return the face's size as one number, in widths of the frame."""
        return math.sqrt(self.size[0] * self.size[1])

    def box_unit(self, aspect: float) -> tuple[float, float, float, float]:
        """Return the box in 0..1 of the frame, clipped to it.

        Args:
            aspect: height of the frame over its width.
        """
        x0, x1 = (min(1.0, max(0.0, self.centre[0] + side * self.size[0] / 2)) for side in (-1, 1))
        y0, y1 = (min(1.0, max(0.0, (self.centre[1] + side * self.size[1] / 2) / aspect)) for side in (-1, 1))
        return x0, y0, x1, y1


@dataclass(frozen=True, slots=True)
class Tracks:
    """All tracks of a camera.

    Attributes:
        time_s: media time of the last frame, or None before the first.
        next_id: of the next track.
        items: the tracks, oldest first, at most `MOST_TRACKS`.
    """

    time_s: float | None = None
    next_id: int = 1
    items: tuple[Track, ...] = ()

    def is_shown(self, track: Track, options: TrackOptions) -> bool:
        """Tell whether a person who wasn't found in the last frame is still shown where they should be."""
        return self.time_s is not None and self.time_s - track.seen_s <= options.shown_s + _ROUNDING_S


@dataclass(frozen=True, slots=True)
class Step:
    """What one frame did.

    Attributes:
        tracks: as they are now.
        found: which detection belongs to which track, by track id.
        closed: ids of confirmed tracks that ended.
    """

    tracks: Tracks
    found: dict[int, int]
    closed: tuple[int, ...] = ()


def close_all(tracks: Tracks) -> Step:
    """End every track; ids go on."""
    closed = tuple(track.track_id for track in tracks.items if track.is_confirmed)
    return Step(Tracks(None, tracks.next_id), {}, closed)


def advance(
    tracks: Tracks,
    detections: Sequence[Detection],
    size_wh: tuple[int, int],
    media_time_s: float,
    options: TrackOptions | None = None,
) -> Step:
    """Take the next frame into account.

    Args:
        tracks: as the last frame left them.
        detections: of this frame, in pixels.
        size_wh: width and height of the frame in pixels.
        media_time_s: when it was taken; a time that falls counts as no time passed.
        options: how tracks begin and end.
    """
    options = options or TrackOptions()
    closed: tuple[int, ...] = ()
    if tracks.time_s is not None and media_time_s - tracks.time_s > options.gap_s + _ROUNDING_S:
        ended = close_all(tracks)
        tracks, closed = ended.tracks, ended.closed
    now_s = media_time_s if tracks.time_s is None else max(tracks.time_s, media_time_s)
    passed_s = 0.0 if tracks.time_s is None else now_s - tracks.time_s
    moved = [_predict(track, passed_s) for track in tracks.items]
    boxes = _boxes(detections, size_wh[0])
    pairs = _assign(moved, boxes, [detection.score for detection in detections], now_s, options)
    for at, detection in pairs.items():
        moved[at] = _correct(moved[at], boxes[detection], detections[detection].score, now_s, passed_s)
        moved[at] = _confirm(moved[at], size_wh[0], now_s, options)
    kept, gone = _age(moved, now_s, passed_s, options)
    found = {moved[at].track_id: detection for at, detection in pairs.items()}
    born = _begin(kept, boxes, detections, found, now_s, tracks.next_id, size_wh[0], options)
    found |= {track.track_id: detection for track, detection in born}
    items = (*kept, *(track for track, _ in born))
    return Step(Tracks(now_s, tracks.next_id + len(born), items), found, closed + gone)


def _boxes(detections: Sequence[Detection], width: int) -> NDArray[np.float64]:
    """Return (N, 4): centre x, centre y, width, height, in widths of the frame."""
    if not detections:
        return np.zeros((0, 4))
    corners = np.array([detection.box_xyxy for detection in detections]) / width
    return np.hstack([(corners[:, :2] + corners[:, 2:]) / 2, np.maximum(corners[:, 2:] - corners[:, :2], 1e-6)])


def _predict(track: Track, passed_s: float) -> Track:
    """Move a track on: constant speed that decays, white noise as acceleration."""
    if passed_s <= 0.0:
        return track
    keep = math.exp(-passed_s / _GLIDE_S)
    reach_s = _GLIDE_S * (1.0 - keep)
    pp, pv, vv = track.spread
    push = _PUSH * track.scale**2
    return replace(
        track,
        centre=(track.centre[0] + track.speed[0] * reach_s, track.centre[1] + track.speed[1] * reach_s),
        speed=(track.speed[0] * keep, track.speed[1] * keep),
        spread=(
            pp + 2 * reach_s * pv + reach_s**2 * vv + push * passed_s * reach_s**2 / 3,
            keep * (pv + reach_s * vv) + push * reach_s**2 / 2,
            keep**2 * vv + push * reach_s,
        ),
    )


def _correct(track: Track, box: NDArray[np.float64], score: float, now_s: float, passed_s: float) -> Track:
    """Take a detection into a predicted track. A frame of the same moment is no further hit."""
    x, y, width, height = (float(value) for value in box)
    pp, pv, vv = track.spread
    noise = (_FOUND_NOISE * track.scale) ** 2
    gain, speed_gain = pp / (pp + noise), pv / (pp + noise)
    off_x, off_y = x - track.centre[0], y - track.centre[1]
    return replace(
        track,
        centre=(track.centre[0] + gain * off_x, track.centre[1] + gain * off_y),
        speed=(track.speed[0] + speed_gain * off_x, track.speed[1] + speed_gain * off_y),
        size=(
            track.size[0] + _SIZE_GAIN * (width - track.size[0]),
            track.size[1] + _SIZE_GAIN * (height - track.size[1]),
        ),
        spread=((1 - gain) * pp, (1 - gain) * pv, max(0.0, vv - speed_gain * pv)),
        seen_s=now_s,
        hits=min(track.hits + (1 if passed_s > 0 else 0), 0xFFFF),
        score=score,
    )


def _confirm(track: Track, width: int, now_s: float, options: TrackOptions) -> Track:
    """Make a track a person when it has been seen often, long and large enough."""
    is_lasting = track.hits >= options.confirm_hits and now_s - track.first_s >= options.confirm_s - _ROUNDING_S
    is_confirmed = track.is_confirmed or (is_lasting and max(track.size) * width >= options.confirm_px)
    return replace(track, is_confirmed=is_confirmed)


def _assign(
    tracks: Sequence[Track], boxes: NDArray[np.float64], scores: Sequence[float], now_s: float, options: TrackOptions
) -> dict[int, int]:
    """Pair tracks with detections: the confirmed with good ones, then with poor ones, then the tentative."""
    costs = _costs(tracks, boxes, now_s, options)
    confirmed = [at for at, track in enumerate(tracks) if track.is_confirmed]
    tentative = [at for at, track in enumerate(tracks) if not track.is_confirmed]
    good = [at for at, score in enumerate(scores) if score >= options.high_score]
    poor = [at for at, score in enumerate(scores) if options.low_score <= score < options.high_score]
    pairs: dict[int, int] = {}
    for rows, columns in ((confirmed, good), (confirmed, poor), (tentative, good)):
        rows = [at for at in rows if at not in pairs]
        taken = set(pairs.values())
        columns = [at for at in columns if at not in taken]
        if rows and columns:
            part = costs[np.ix_(rows, columns)]
            pairs |= {rows[row]: columns[column] for row, column in assign(part, _NEVER)}
    return pairs


def _costs(
    tracks: Sequence[Track], boxes: NDArray[np.float64], now_s: float, options: TrackOptions
) -> NDArray[np.float64]:
    """Return (tracks, detections): overlap, distance in face sizes and change of size as one number, or `_NEVER`."""
    if not tracks or len(boxes) == 0:
        return np.zeros((len(tracks), len(boxes)))
    own = np.array([(*track.centre, *track.size) for track in tracks])
    scale = np.sqrt(own[:, 2] * own[:, 3])[:, None]
    found_scale = np.sqrt(boxes[:, 2] * boxes[:, 3])[None, :]
    distance = np.hypot(own[:, None, 0] - boxes[None, :, 0], own[:, None, 1] - boxes[None, :, 1]) / scale
    unseen_s = np.array([now_s - track.seen_s for track in tracks])[:, None]
    gate = np.minimum(options.reach, _REACH + _REACH_PER_S * unseen_s)
    change = np.abs(np.log(found_scale / scale))
    costs = (1.0 - _overlaps(own, boxes)) / 2 + distance / gate / 2 + 0.3 * change
    return np.where((distance <= gate) & (change <= math.log(2.2)), costs, _NEVER)


def _overlaps(
    first: NDArray[np.float64], second: NDArray[np.float64], *, of_smaller: bool = False
) -> NDArray[np.float64]:
    """Return (N, M): intersection over union, or over the smaller box, of (N, 4) and (M, 4) centres and sizes."""
    low = np.maximum(first[:, None, :2] - first[:, None, 2:] / 2, second[None, :, :2] - second[None, :, 2:] / 2)
    high = np.minimum(first[:, None, :2] + first[:, None, 2:] / 2, second[None, :, :2] + second[None, :, 2:] / 2)
    common = np.prod(np.clip(high - low, 0.0, None), axis=2)
    area, other = np.prod(first[:, None, 2:], axis=2), np.prod(second[None, :, 2:], axis=2)
    whole: NDArray[np.float64] = common / (np.minimum(area, other) if of_smaller else area + other - common)
    return whole


def _age(
    tracks: Sequence[Track], now_s: float, passed_s: float, options: TrackOptions
) -> tuple[list[Track], tuple[int, ...]]:
    """Part tracks into those that stay and the ids of confirmed ones that end."""
    kept: list[Track] = []
    gone: list[int] = []
    # Any track may miss one frame, however slowly they come: a still scene has one in some seconds.
    patience_s = max(options.tentative_s, 1.5 * passed_s)
    lost_s = max(options.lost_s, 1.5 * passed_s)
    for track in tracks:
        if now_s - track.seen_s <= (lost_s if track.is_confirmed else patience_s) + _ROUNDING_S:
            kept.append(track)
        elif track.is_confirmed:
            gone.append(track.track_id)
    return kept, tuple(gone)


def _begin(
    kept: Sequence[Track],
    boxes: NDArray[np.float64],
    detections: Sequence[Detection],
    found: dict[int, int],
    now_s: float,
    next_id: int,
    frame_width: int,
    options: TrackOptions,
) -> list[tuple[Track, int]]:
    """Begin tracks for good detections that belong to none and aren't the same face as one that does."""
    born: list[tuple[Track, int]] = []
    spoken_for = list(found.values())
    free = [at for at, one in enumerate(detections) if one.score >= options.high_score and at not in spoken_for]
    for at in sorted(free, key=lambda at: -detections[at].score):
        if len(kept) + len(born) >= MOST_TRACKS:
            break
        if spoken_for and _overlaps(boxes[[at]], boxes[spoken_for], of_smaller=True).max() > _COVERED:
            continue
        x, y, width, height = (float(value) for value in boxes[at])
        scale = math.sqrt(width * height)
        spread = ((_FOUND_NOISE * scale) ** 2, 0.0, (_FIRST_SPEED * scale) ** 2)
        track = Track(
            next_id + len(born), (x, y), (0.0, 0.0), (width, height), spread, now_s, now_s, 1, False,
            detections[at].score,
        )  # fmt: skip
        born.append((_confirm(track, frame_width, now_s, options), at))
        spoken_for.append(at)
    return born

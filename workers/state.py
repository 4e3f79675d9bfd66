"""What a camera's next turn needs from the last: tracks, evidence and rules, packed into less than 8 KB.

Layout, little endian: version (uint8), length of the epoch (uint8), epoch, has a time (uint8), media time (float64),
next id (uint32), number of tracks (uint8); then per track: id, centre, speed, size, spread, seconds since its first and
its last detection, hits, flags, score, three sums, seconds since its last look, looks, and size, sharpness and grey
levels of its face and what the last look said of it (see `workers.relook`); then the rules' part, see
`workers.rulestate`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maskwatch.errors import WireError
from maskwatch.types import Verdict
from workers.matters import RuleState
from workers.relook import CELLS, Glance
from workers.rounding import from_byte, to_byte
from workers.rulestate import pack_rules, unpack_rules
from workers.track import MOST_TRACKS, Track, Tracks
from workers.verdict import Evidence

__all__ = ["CameraState", "pack_state", "read_state", "unpack_state"]

_VERSION = 4
_HEAD = struct.Struct("<BdIB")
_TRACK = struct.Struct(f"<I9f2fHBe3ffB4B{CELLS}s")
_VERDICTS = tuple(Verdict)
_MOST_EPOCH_BYTES = 64
_OLDEST_S = 1e9
_MOST_TRACKS_A_SECOND = 10
"""That a camera begins, on average over an epoch."""
_HAS_GLANCE, _AGREED = 8, 16
_NO_GLANCE = Glance(0.0, 0.0, bytes(CELLS), probabilities=(0.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True)
class CameraState:
    """Tracks, evidence and matters of one camera in one epoch.

    Attributes:
        epoch: of the ingest's hold.
        tracks: all of them.
        evidence: by track id; a track without an entry was never looked at.
        glances: what faces looked like, by track id; a track without an entry was never classified.
        rules: what the rules need to know.
    """

    epoch: str
    tracks: Tracks = field(default_factory=Tracks)
    evidence: Mapping[int, Evidence] = field(default_factory=dict)
    glances: Mapping[int, Glance] = field(default_factory=dict)
    rules: RuleState = field(default_factory=RuleState)


def pack_state(state: CameraState) -> bytes:
    """Write a state; numbers are rounded to single precision.

    Raises:
        WireError: if the epoch is longer than 64 bytes or there are too many tracks.
    """
    epoch = state.epoch.encode()
    if len(epoch) > _MOST_EPOCH_BYTES or len(state.tracks.items) > MOST_TRACKS:
        raise WireError(
            f"state: expected an epoch of at most {_MOST_EPOCH_BYTES} bytes and at most {MOST_TRACKS} tracks, "
            f"received {len(epoch)} and {len(state.tracks.items)}"
        )
    time_s = state.tracks.time_s
    now_s = time_s or 0.0
    head = _HEAD.pack(time_s is not None, now_s, state.tracks.next_id, len(state.tracks.items))
    rows = [
        _pack_track(track, state.evidence.get(track.track_id, Evidence()), state.glances.get(track.track_id), now_s)
        for track in state.tracks.items
    ]
    rules = pack_rules(state.rules, [track.track_id for track in state.tracks.items])
    return b"".join([bytes([_VERSION, len(epoch)]), epoch, head, *rows, rules])


def unpack_state(data: bytes) -> CameraState:
    """Read a state.

    Raises:
        WireError: if it has another form, which means: start afresh.
    """
    try:
        version, length = data[0], data[1]
        if version != _VERSION:
            raise WireError(f"state: expected version {_VERSION}, received {version}; all tracks start afresh")
        epoch = data[2 : 2 + length].decode()
        has_time, now_s, next_id, count = _HEAD.unpack_from(data, 2 + length)
        body, ends = data[2 + length + _HEAD.size :], count * _TRACK.size
        if len(body) < ends or count > MOST_TRACKS or not math.isfinite(now_s) or next_id < 1:
            raise WireError(f"state: expected {count} tracks, received {len(body)} bytes; all tracks start afresh")
        rows = [_unpack_track(values, now_s) for values in _TRACK.iter_unpack(body[:ends])]
        ids = [track.track_id for track, _, _ in rows]
        rules = unpack_rules(body[ends:], ids)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise WireError(f"state: {len(data)} bytes that are no state ({error}); all tracks start afresh") from error
    if len(set(ids)) != len(ids) or any(not 0 < one < next_id for one in ids):
        raise WireError(f"state: expected different ids from 1 to {next_id - 1}; all tracks start afresh")
    tracks = Tracks(now_s if has_time else None, next_id, tuple(track for track, _, _ in rows))
    evidence = {track.track_id: seen for track, seen, _ in rows if seen.looks}
    glances = {track.track_id: glance for track, _, glance in rows if glance is not None}
    return CameraState(epoch, tracks, evidence, glances, rules)


def read_state(data: bytes, epoch: str, media_time_s: float) -> CameraState:
    """Return the state, or a fresh one when there is none or another version of Maskwatch wrote it.

    In that case numbers of tracks and crowds go on above all that may have been given out in this epoch: ids are made
    of them.

    Args:
        data: as a turn left it, or empty.
        epoch: of the turn that begins.
        media_time_s: seconds within that epoch.
    """
    if not data:
        return CameraState(epoch)
    try:
        return unpack_state(data)
    except WireError:
        first = 1 + round(_MOST_TRACKS_A_SECOND * min(_OLDEST_S / _MOST_TRACKS_A_SECOND, max(0.0, media_time_s)))
        return CameraState(epoch, Tracks(next_id=first), rules=RuleState.unknown(media_time_s))


def _pack_track(track: Track, seen: Evidence, glance: Glance | None, now_s: float) -> bytes:
    flags = int(track.is_confirmed) | _VERDICTS.index(seen.verdict) << 1
    if glance is not None:
        flags |= _HAS_GLANCE | (_AGREED if glance.agreed else 0)
    face = glance or _NO_GLANCE
    return _TRACK.pack(
        track.track_id,
        *track.centre,
        *track.speed,
        *track.size,
        *track.spread,
        min(_OLDEST_S, now_s - track.first_s),
        now_s - track.seen_s,
        track.hits,
        flags,
        track.score,
        *seen.sums,
        min(_OLDEST_S, now_s - seen.time_s),
        seen.looks,
        to_byte(face.size_px),
        to_byte(face.sharpness),
        *(round(255 * min(1.0, max(0.0, value))) for value in face.probabilities[:2]),
        face.cells,
    )


def _unpack_track(values: tuple[Any, ...], now_s: float) -> tuple[Track, Evidence, Glance | None]:
    x, y, vx, vy, width, height, pp, pv, vv, first_ago, seen_ago = values[1:12]
    hits, flags, score = int(values[12]), int(values[13]), values[14]
    first, second, third, look_ago = values[15:19]
    size_px, sharpness, cells = from_byte(values[20]), from_byte(values[21]), values[24]
    said = (values[22] / 255, values[23] / 255, max(0, 255 - values[22] - values[23]) / 255)
    if not all(map(math.isfinite, values[:-1])) or min(width, height, pp) <= 0 or vv < 0 or flags >= 2 * _AGREED:
        raise WireError("state: a track with impossible numbers; all tracks start afresh")
    track = Track(
        int(values[0]), (x, y), (vx, vy), (width, height), (pp, pv, vv), now_s - first_ago, now_s - seen_ago, hits,
        bool(flags & 1), score,
    )  # fmt: skip
    evidence = Evidence((first, second, third), int(values[19]), now_s - look_ago, _VERDICTS[flags >> 1 & 3])
    glance = Glance(size_px, sharpness, cells, bool(flags & _AGREED), said) if flags & _HAS_GLANCE else None
    return track, evidence, glance

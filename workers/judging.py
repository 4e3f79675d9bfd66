"""From tracks to what the rules see of a frame, and what they say of it; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maskwatch.types import Snapshots, Verdict
from maskwatch.zones import Zone
from workers.items import PipelineItem
from workers.matters import RuleState
from workers.rules import Moment, Outcome, Sighting, step
from workers.track import TrackOptions, Tracks
from workers.verdict import Evidence
from workers.zones import zones_at

__all__ = ["judge", "judge_end", "sightings"]


def sightings(
    tracks: Tracks,
    looks: Mapping[int, Sequence[float]],
    evidence: Mapping[int, Evidence],
    zones: Sequence[Zone],
    size_wh: tuple[int, int],
    options: TrackOptions,
) -> tuple[Sighting, ...]:
    """Return the tracks that are in a frame: those that were found, and people who are hidden for a moment.

    Args:
        tracks: as this frame left them.
        looks: of the tracks that were found in this frame, by track id: the chance of each label, or nothing where the
            face wasn't classified.
        evidence: this frame included, by track id.
        zones: of the camera.
        size_wh: width and height of the frame in pixels.
        options: for how long a predicted place counts as one.
    """
    width, height = size_wh
    seen = []
    for track in tracks.items:
        is_seen = track.track_id in looks
        if is_seen or (track.is_confirmed and tracks.is_shown(track, options)):
            held = evidence.get(track.track_id)
            seen.append(
                Sighting(
                    track_id=track.track_id,
                    zones=zones_at(zones, track.box_unit(height / width)),
                    verdict=Verdict.UNKNOWN if held is None else held.verdict,
                    chances=tuple(looks.get(track.track_id, ())),
                    is_seen=is_seen,
                    is_person=track.is_confirmed,
                    size_px=max(track.size) * width,
                )
            )
    return tuple(seen)


def judge(
    rules: RuleState, item: PipelineItem, people: tuple[Sighting, ...], tracks: Tracks, closed: Mapping[int, Verdict]
) -> Outcome:
    """Hold what a frame shows against the camera's rules.

    Args:
        rules: as the camera's last frame of this epoch left it.
        item: the camera's turn; without a time on the wall nothing is judged.
        people: who is in the frame.
        tracks: as this frame left them.
        closed: last verdicts of the people who have gone with it, by track id.
    """
    if item.wall_time_utc is None:
        return Outcome(rules)
    moment = Moment(
        camera=item.camera,
        epoch=item.epoch,
        media_time_s=item.media_time_s if tracks.time_s is None else tracks.time_s,
        time_utc=item.wall_time_utc,
        rules=item.rules,
        people=people,
        alive=frozenset(track.track_id for track in tracks.items),
        closed=closed,
        keeps_pictures=item.snapshots is not Snapshots.NONE,
    )
    return step(rules, moment)


def judge_end(rules: RuleState, epoch: str, item: PipelineItem, closed: Mapping[int, Verdict]) -> Outcome:
    """Say what ended with the epoch before, when a turn is of another one.

    Args:
        rules: as the last frame of that epoch left it.
        epoch: that one.
        item: the camera's turn.
        closed: last verdicts of the people of that epoch, by track id.
    """
    if item.wall_time_utc is None or epoch == item.epoch:
        return Outcome(rules)
    keeps_pictures = item.snapshots is not Snapshots.NONE
    return step(
        rules, Moment(item.camera, epoch, 0.0, item.wall_time_utc, closed=closed, keeps_pictures=keeps_pictures)
    )

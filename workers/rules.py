"""From people in zones to events: what violates which rule, since when, and until when.

Pure: `step` takes what was known and what one frame shows, and gives what is known now, the records to keep and the
pictures that belong to them. Durations are in media time, which is the camera's; the hours of a schedule and the times
of records are those of the clock on the wall.

A matter (somebody against a rule, or a crowd) is pending until it has lasted for the rule's grace time, then open, then
over. What can't be seen changes nothing: somebody behind a pillar goes on violating, until they are seen otherwise for
a second or their track is closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from maskwatch.events import Event, PersonClosed, Record, event_id, person_id
from maskwatch.types import LABELS, EventKind, MaskLabel, Verdict
from maskwatch.zones import MOST_RULES, Rule
from workers.matters import CROWD, MOST_MATTERS, PATIENCE_S, Looks, Matter, Phase, RuleState
from workers.schedule import is_on

__all__ = ["Moment", "Outcome", "Sighting", "Wish", "step"]

_ROUNDING_S = 0.01
"""Times come back from the state rounded to this."""

_BETTER = 1.25
"""By which factor a picture must be better to replace the one that is kept."""

_WITH = LABELS.index(MaskLabel.WITH_MASK)
_AGAINST = (Verdict.WITHOUT_MASK, Verdict.INCORRECT_MASK)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A track in one frame.

    Attributes:
        track_id: whose.
        zones: names of those it is in.
        verdict: what is held of it, this frame included.
        chances: one per entry of `LABELS` when the face was classified in this very frame, else empty.
        is_seen: False when its place is only predicted.
        is_person: whether the track is confirmed.
        size_px: longest side of the face.
    """

    track_id: int
    zones: frozenset[str]
    verdict: Verdict
    chances: tuple[float, ...] = ()
    is_seen: bool = True
    is_person: bool = True
    size_px: float = 0.0

    @property
    def quality(self) -> float:
        """Return how well the picture shows that there is no proper mask: its size, times the chance of it."""
        return self.size_px * (1.0 - self.chances[_WITH]) if self.chances else 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What one frame shows, or that people have gone.

    Attributes:
        camera: where.
        epoch: of the tracks.
        media_time_s: when, by the camera.
        time_utc: when, by the clock on the wall.
        rules: of the camera, as they are configured now.
        people: tracks in this frame.
        alive: ids of all tracks that go on, those that can't be seen included.
        closed: last verdicts of the people who have gone.
        keeps_pictures: whether pictures of violations may be kept.
    """

    camera: str
    epoch: str
    media_time_s: float
    time_utc: datetime
    rules: Sequence[Rule] = ()
    people: Sequence[Sighting] = ()
    alive: frozenset[int] = frozenset()
    closed: Mapping[int, Verdict] = field(default_factory=dict)
    keeps_pictures: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """A picture of this frame that is to be kept.

    Attributes:
        key: under which; a better one replaces the one before.
        track_id: whom it is about, `CROWD` for all.
    """

    key: str
    track_id: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one frame did.

    Attributes:
        state: for the next one.
        records: to keep, in order.
        wishes: pictures to keep.
    """

    state: RuleState
    records: tuple[Record, ...] = ()
    wishes: tuple[Wish, ...] = ()


def step(state: RuleState, moment: Moment) -> Outcome:
    """Take one frame into account.

    Args:
        state: as the last frame of the same epoch left it.
        moment: what this one shows.
    """
    return _Step(state, moment).outcome()


class _Step:
    """One call of `step`: what it gathers on its way."""

    def __init__(self, state: RuleState, moment: Moment) -> None:
        self._before = state
        self._moment = moment
        self._looks = _look(state.looks, moment)
        self._matters = dict(state.matters)
        self._rules = {**state.rules, **{rule.name: (rule.zone, rule.severity) for rule in moment.rules}}
        self._records: list[Record] = []
        self._wishes: list[Wish] = []

    def outcome(self) -> Outcome:
        for rule in self._moment.rules:
            is_active = is_on(rule.schedule, self._moment.time_utc)
            if rule.requires_mask:
                self._watch_people(rule, is_active)
            if rule.crowd is not None:
                self._watch_crowd(rule, rule.crowd, is_active)
        self._end_what_is_gone()
        for track_id, verdict in self._moment.closed.items():
            self._records += _closings(self._moment, track_id, verdict, self._looks.get(track_id, Looks()))
        looks = {one: seen for one, seen in self._looks.items() if one in self._moment.alive}
        configured = {rule.name for rule in self._moment.rules}
        names = sorted({name for name, _ in self._matters}, key=lambda name: (name not in configured, name))[
            :MOST_RULES
        ]
        matters = {key: matter for key, matter in self._matters.items() if key[0] in names}
        rules = {name: self._rules[name] for name in sorted(names)}
        # What is forgotten of a rule's crowds may not be told again under the same number, should the rule come back.
        forgotten = (
            matter.ordinal + (matter.phase is Phase.OPEN)
            for key, matter in self._before.matters.items()
            if key[1] == CROWD and key not in matters
        )
        crowds = max(self._before.crowds, *forgotten, 0)
        return Outcome(RuleState(looks, matters, rules, crowds), tuple(self._records), tuple(self._wishes))

    def _watch_people(self, rule: Rule, is_active: bool) -> None:
        for person in self._moment.people:
            if not (person.is_person and person.is_seen):
                continue
            before = self._matters.get((rule.name, person.track_id))
            is_here = rule.zone == "" or rule.zone in person.zones
            holds = is_active and is_here and person.verdict in _AGAINST
            if before is None or before.phase is not Phase.OPEN:
                holds = holds and self._looks[person.track_id].is_evident(rule)
            self._go_on(rule, person, before, holds)

    def _go_on(self, rule: Rule, person: Sighting, before: Matter | None, holds: bool) -> None:
        key = (rule.name, person.track_id)
        after = self._keep(key, _advance(before, holds, self._moment.media_time_s, rule))
        if after is None or after.phase is Phase.PENDING:
            return
        if after.phase is Phase.OVER:
            if before is not None and before.phase is Phase.OPEN:
                self._tell(EventKind.VIOLATION_ENDED, key, before, person.verdict)
            return
        has_started = before is None or before.phase is not Phase.OPEN
        if has_started:
            self._tell(EventKind.VIOLATION_STARTED, key, after, person.verdict)
        if self._moment.keeps_pictures and (has_started or person.quality > _BETTER * after.quality):
            self._matters[key] = replace(after, quality=person.quality)
            self._wishes.append(Wish(self._picture_key(key, after), person.track_id))

    def _watch_crowd(self, rule: Rule, limit: int, is_active: bool) -> None:
        key = (rule.name, CROWD)
        people = [one for one in self._moment.people if one.is_person and rule.zone in ("", *one.zones)]
        before = self._matters.get(key)
        holds = is_active and len(people) > limit
        after = self._keep(key, _advance(before, holds, self._moment.media_time_s, rule, self._before.crowds))
        has_started = before is None or before.phase is not Phase.OPEN
        if after is not None and after.phase is Phase.OPEN and has_started:
            self._tell(EventKind.CROWD, key, after, None, len(people))
            if self._moment.keeps_pictures:
                self._wishes.append(Wish(self._picture_key(key, after), CROWD))

    def _keep(self, key: tuple[str, int], matter: Matter | None) -> Matter | None:
        if matter is None or (key not in self._matters and len(self._matters) >= MOST_MATTERS):
            self._matters.pop(key, None)
            return None
        self._matters[key] = matter
        return matter

    def _end_what_is_gone(self) -> None:
        """End matters of people who have gone, and of rules that are configured no more."""
        moment = self._moment
        watched = {(rule.name, rule.requires_mask) for rule in moment.rules}
        crowded = {rule.name for rule in moment.rules if rule.crowd is not None}
        for key, matter in list(self._matters.items()):
            name, track_id = key
            is_kept = name in crowded if track_id == CROWD else (name, True) in watched and track_id in moment.alive
            if is_kept:
                continue
            del self._matters[key]
            is_open = matter.phase is Phase.OPEN
            times = matter.ordinal + is_open
            # The rule may come back: how often it was reported has to be remembered, or an id would come twice.
            if times and (track_id == CROWD or track_id in moment.alive) and len(self._matters) < MOST_MATTERS // 2:
                self._matters[key] = Matter(Phase.OVER, matter.began_s, matter.held_s, times)
            if is_open and track_id != CROWD:
                last = next((one.verdict for one in moment.people if one.track_id == track_id), None)
                self._tell(EventKind.VIOLATION_ENDED, key, matter, moment.closed.get(track_id, last))

    def _tell(
        self, kind: EventKind, key: tuple[str, int], matter: Matter, verdict: Verdict | None, people: int | None = None
    ) -> None:
        name, track_id = key
        zone, severity = self._rules[name]
        seen = self._looks.get(track_id, Looks())
        about = track_id if track_id != CROWD else None
        self._records.append(
            Event(
                id=event_id(self._moment.epoch, about, name, kind, matter.ordinal),
                kind=kind,
                camera=self._moment.camera,
                epoch=self._moment.epoch,
                zone=zone,
                rule=name,
                severity=severity,
                time_utc=self._moment.time_utc,
                track_id=about,
                duration_s=matter.held_s - matter.began_s if kind is EventKind.VIOLATION_ENDED else None,
                verdict=verdict,
                looks=seen.count,
                scores=seen.means if seen.count else (),
                people=people,
                snapshot=self._picture_key(key, matter) if self._moment.keeps_pictures else None,
            )
        )

    def _picture_key(self, key: tuple[str, int], matter: Matter) -> str:
        """Return the name of the one picture of a matter: the id of the event with which it was reported."""
        name, track_id = key
        about, kind = (track_id, EventKind.VIOLATION_STARTED) if track_id != CROWD else (None, EventKind.CROWD)
        return event_id(self._moment.epoch, about, name, kind, matter.ordinal).hex


def _advance(before: Matter | None, holds: bool, now_s: float, rule: Rule, first: int = 0) -> Matter | None:
    """Return how a matter stands now that it is seen to hold or not; None: there is nothing to remember.

    The number of the first one of its kind is `first`.
    """
    if before is None or before.phase is Phase.OVER:
        ordinal = first if before is None else before.ordinal
        if not holds or (before is not None and now_s - before.held_s < rule.cooldown_s - _ROUNDING_S):
            return before
        before = Matter(Phase.PENDING, now_s, now_s, ordinal)
    if holds:
        has_lasted = now_s - before.began_s >= rule.grace_s - _ROUNDING_S
        phase = Phase.OPEN if has_lasted or before.phase is Phase.OPEN else Phase.PENDING
        return replace(before, phase=phase, held_s=now_s)
    if now_s - before.held_s <= PATIENCE_S + _ROUNDING_S:
        return before
    if before.phase is Phase.OPEN:
        return Matter(Phase.OVER, before.began_s, before.held_s, before.ordinal + 1)
    # Nothing came of it this time; how often it was reported before has to be remembered, and no new cool-down begins.
    cooled_s = before.began_s - rule.cooldown_s
    return Matter(Phase.OVER, before.began_s, cooled_s, before.ordinal) if before.ordinal else None


def _look(known: Mapping[int, Looks], moment: Moment) -> dict[int, Looks]:
    """Return what is remembered of all tracks, this frame included."""
    looks = dict(known)
    for one in moment.people:
        if not one.is_seen:
            continue
        seen = looks.get(one.track_id, Looks())
        if one.chances:
            seen = seen.with_look(one.chances)
        if one.is_person and not one.zones <= seen.zones:
            seen = replace(seen, zones=seen.zones | one.zones)
        looks[one.track_id] = seen
    return looks


def _closings(moment: Moment, track_id: int, verdict: Verdict, seen: Looks) -> Iterator[PersonClosed]:
    """Count somebody who has gone, for the camera and for each zone."""
    for zone in ("", *sorted(seen.zones)):
        key = person_id(moment.epoch, track_id, zone)
        yield PersonClosed(key, moment.camera, zone, verdict, moment.time_utc)

"""Rules under a fake clock, whatever happens: people, hours, new rules, clocks set right, workers that die."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from maskwatch.events import Event, PersonClosed, Record
from maskwatch.types import EventKind, Verdict
from maskwatch.zones import Rule, Schedule
from tests.unit.test_rules import CHANCES, DOOR, ENDED, HERE, STARTED, Camera, bare, events
from workers.matters import CROWD, Phase, RuleState
from workers.rules import Moment, Outcome, Sighting, step
from workers.rulestate import pack_rules, unpack_rules
from workers.schedule import is_on

BEFORE_THE_CHANGE = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
"""Ten minutes later it is 02:00 in Berlin once more."""
NIGHT = Schedule((5,), 22 * 60, 2 * 60 + 30, "Europe/Berlin")
TWICE = Schedule((6,), 2 * 60, 2 * 60 + 30, "Europe/Berlin")

FACES = st.tuples(
    st.sampled_from([HERE, frozenset[str]()]), st.sampled_from(list(Verdict)), st.sampled_from(list(CHANCES.values())),
    st.booleans(), st.booleans(),
)  # fmt: skip
MASKS = st.builds(
    Rule,
    name=st.just("masks"),
    zone=st.sampled_from(["", "door"]),
    schedule=st.sampled_from([None, None, NIGHT, TWICE]),
    looks_at_least=st.integers(1, 3),
    grace_s=st.sampled_from([0.0, 0.5, 3.0]),
    cooldown_s=st.sampled_from([0.0, 4.0]),
)
CROWDS = st.builds(
    Rule,
    name=st.just("crowds"),
    zone=st.sampled_from(["", "door"]),
    requires_mask=st.just(False),
    crowd=st.integers(1, 2),
    schedule=st.sampled_from([None, NIGHT]),
    grace_s=st.sampled_from([0.0, 1.0]),
    cooldown_s=st.sampled_from([0.0, 4.0]),
)


@dataclass
class Epoch:
    """What is on record of one epoch, as SQL has it: the first record of an id."""

    name: str
    kept: dict[UUID, Record] = field(default_factory=dict)
    people: set[int] = field(default_factory=set)
    """Whose tracks have ended."""
    said: set[UUID] = field(default_factory=set)
    """Ids of what was recorded by turns that were finished."""
    has_lost_turns: bool = False

    def events(self) -> list[Event]:
        return [record for record in self.kept.values() if isinstance(record, Event)]


class Course(RuleBasedStateMachine):
    """One camera; a turn that is lost was recorded by a worker that died before it could finish it."""

    def __init__(self) -> None:
        super().__init__()
        self.media_s = 0.0
        self.wall = BEFORE_THE_CHANGE
        self.watched: tuple[Rule, ...] = ()
        self.state = RuleState()
        self.alive: dict[int, Verdict] = {}
        self.places: dict[int, int] = {}
        self.epochs = [Epoch("e0")]
        self.next_id = 1

    @initialize(masks=MASKS, crowds=CROWDS)
    def configure(self, masks: Rule, crowds: Rule) -> None:
        self.watched = (masks, crowds)

    def turn(self, people: list[Sighting], closed: dict[int, Verdict], lost: bool) -> Outcome:
        epoch = self.epochs[-1]
        alive = frozenset(self.alive) - closed.keys()
        moment = Moment("lobby", epoch.name, self.media_s, self.wall, self.watched, people, alive, closed, True)
        outcome = step(self.state, moment)
        assert step(self.state, moment) == outcome, "who says it again says the same"
        for record in outcome.records:
            self.check(record, moment)
            epoch.kept.setdefault(record.id, record)
        epoch.has_lost_turns |= lost
        if not lost:
            tracks = sorted(alive)
            self.state = unpack_rules(pack_rules(outcome.state, tracks), tracks)
            for one in closed:
                del self.alive[one]
            epoch.people |= closed.keys()
            ids = {record.id for record in outcome.records}
            assert len(ids) == len(outcome.records)
            assert not ids & epoch.said, "two things under one id: the record would keep one of them"
            epoch.said |= ids
        return outcome

    def check(self, record: Record, moment: Moment) -> None:
        """Check one record against the frame that brought it."""
        if isinstance(record, PersonClosed):
            assert record.verdict in moment.closed.values()
            return
        assert record.time_utc == self.wall
        configured = {one.name: one for one in self.watched}
        if record.kind is STARTED:
            (person,) = [one for one in moment.people if one.track_id == record.track_id]
            named = configured[record.rule]
            assert person.is_seen
            assert person.is_person
            assert person.verdict in (Verdict.WITHOUT_MASK, Verdict.INCORRECT_MASK)
            assert named.zone in ("", *person.zones)
            assert is_on(named.schedule, self.wall)
        elif record.kind is EventKind.CROWD:
            named = configured[record.rule]
            there = [one for one in moment.people if one.is_person and named.zone in ("", *one.zones)]
            assert record.people == len(there)
            assert named.crowd is not None
            assert len(there) > named.crowd
            assert is_on(named.schedule, self.wall)
        else:
            assert record.duration_s is not None
            assert record.duration_s >= 0

    @rule(
        passed_s=st.sampled_from([0.05, 0.2, 0.5, 2.0]), faces=st.dictionaries(st.integers(1, 3), FACES, max_size=3),
        repeats=st.integers(1, 12), lost=st.integers(0, 20),
    )  # fmt: skip
    def film(
        self,
        passed_s: float,
        faces: dict[int, tuple[frozenset[str], Verdict, tuple[float, float, float], bool, bool]],
        repeats: int,
        lost: int,
    ) -> None:
        """Show the same for some frames; one of them may be lost."""
        for number in range(repeats):
            people = []
            for place, (zones, verdict, chances, is_seen, is_looked_at) in faces.items():
                if place not in self.places:
                    self.places[place], self.next_id = self.next_id, self.next_id + 1
                track_id = self.places[place]
                self.alive[track_id] = verdict
                seen = chances if is_seen and is_looked_at else ()
                people.append(Sighting(track_id, zones, verdict, seen, is_seen))
            self.media_s += passed_s
            self.wall += timedelta(seconds=passed_s)
            self.turn(people, {}, lost == number)

    @rule(place=st.integers(1, 3), lost=st.booleans())
    def leave(self, place: int, lost: bool) -> None:
        """Let somebody go; whose end is lost goes again with the next frame."""
        track_id = self.places.pop(place, None)
        if track_id is None:
            return
        gone = {track_id: self.alive[track_id]}
        for is_lost in (True, False) if lost else (False,):
            self.media_s += 0.2
            self.wall += timedelta(seconds=0.2)
            self.turn([], gone, is_lost)

    @rule(minutes=st.integers(-70, 70))
    def set_clock(self, minutes: int) -> None:
        """Time passes unseen, or somebody sets the clock right; media time knows nothing of it."""
        self.wall += timedelta(minutes=minutes)

    @rule(masks=st.none() | MASKS, crowds=st.none() | CROWDS)
    def change_rules(self, masks: Rule | None, crowds: Rule | None) -> None:
        self.watched = tuple(one for one in (masks, crowds) if one is not None)

    @rule()
    def begin_epoch(self) -> None:
        """The camera is opened again: its people have gone."""
        self.turn([], dict(self.alive), False)
        assert self.state == RuleState(self.state.looks, self.state.matters, self.state.rules)
        assert all(track_id == CROWD for _, track_id in self.state.matters)
        self.epochs.append(Epoch(f"e{len(self.epochs)}"))
        self.state, self.places, self.media_s, self.next_id = RuleState(), {}, 0.0, 1

    @invariant()
    def violations_take_turns(self) -> None:
        """Of one person under one rule each violation ends at most once, and the next begins only after that."""
        for epoch in self.epochs:
            ordinals: Counter[tuple[int | None, str, EventKind]] = Counter(
                (event.track_id, event.rule, event.kind)
                for event in epoch.events()
                if event.kind is not EventKind.CROWD
            )
            for (track_id, name, kind), number in ordinals.items():
                started, ended = ordinals[track_id, name, STARTED], ordinals[track_id, name, ENDED]
                assert ended <= started <= ended + 1, (track_id, name, kind, number)

    @invariant()
    def whoever_has_gone_is_counted_once_and_violates_no_longer(self) -> None:
        for epoch in self.epochs:
            closed = Counter(one.zone for one in epoch.kept.values() if isinstance(one, PersonClosed))
            assert closed[""] == len(epoch.people)
            assert closed["door"] <= len(epoch.people)
            if epoch.has_lost_turns:
                continue
            for track_id in epoch.people:
                kinds = Counter(event.kind for event in epoch.events() if event.track_id == track_id)
                assert kinds[STARTED] == kinds[ENDED]

    @invariant()
    def only_people_who_are_there_are_remembered(self) -> None:
        assert set(self.state.looks) <= set(self.alive)
        assert {track_id for _, track_id in self.state.matters} <= {CROWD, *self.alive}
        for (name, _), matter in self.state.matters.items():
            assert name in self.state.rules
            assert matter.held_s <= self.media_s + 0.02
            assert matter.began_s <= matter.held_s + 0.02 or matter.phase is Phase.OVER


Course.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestCourse = Course.TestCase


def test_night_shift_ends_when_its_hour_has_come_twice() -> None:
    """Of Saturday's night until half past two, the half hour after two counts twice, the one in between doesn't."""
    on = [is_on(replace(NIGHT), BEFORE_THE_CHANGE + timedelta(minutes=10 * number)) for number in range(8)]
    # 02:50, 02:00 again to 02:20, 02:30 to 03:00
    assert on == [False, True, True, True, False, False, False, False]


def test_rule_that_comes_back_tells_the_same_anew_under_other_ids() -> None:
    full = Rule("full", requires_mask=False, crowd=1, grace_s=0, cooldown_s=0)
    rules = [replace(DOOR, cooldown_s=0), full]
    camera = Camera(rules=rules)
    for _ in range(3):
        camera.rules = rules
        camera.play(5, bare(1), bare(2))
        camera.rules = []
        camera.play(3, bare(1), bare(2))
    told = events(camera.records)
    assert len(told) == len({one.id for one in told}) == 3 * (2 + 2 + 1)


def test_no_more_rules_are_remembered_than_there_is_room_for() -> None:
    camera = Camera()
    for number in range(40):
        camera.rules = [Rule(f"r{number}", grace_s=0, cooldown_s=0), Rule(f"c{number}", crowd=1, grace_s=0)]
        camera.play(2, bare(1), bare(2))
    told = [one for one in events(camera.records) if one.kind is not ENDED]
    assert len(told) == 40 * (2 + 1 + 2)
    assert len(camera.state.rules) == 16


def test_forgotten_crowds_are_not_told_anew_under_the_same_ids() -> None:
    hall = Rule("hall", requires_mask=False, crowd=0, grace_s=0, cooldown_s=0)
    others = [Rule(f"r{number}", grace_s=0, cooldown_s=0) for number in range(15)]
    people = [bare(number, frozenset()) for number in range(1, 11)]
    camera = Camera(rules=[hall])
    camera.play(2, *people)
    for rules in (others, [], others, [hall]):  # fills the memory, and then there are more matters than rules
        camera.rules = rules
        camera.play(3, *people)
    crowds = [one for one in events(camera.records) if one.kind is EventKind.CROWD]
    assert len(crowds) == len({one.id for one in crowds}) == 2
    assert camera.state.crowds > 0

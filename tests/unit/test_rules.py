"""Rules: what becomes an event, what doesn't, and what holds of every course of things."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from maskwatch.events import Event, PersonClosed, Record, person_id
from maskwatch.types import EventKind, Severity, Verdict
from maskwatch.zones import Rule, Schedule
from workers.matters import MOST_MATTERS, Looks, Matter, Phase, RuleState
from workers.rules import Moment, Sighting, Wish, step
from workers.rulestate import pack_rules, unpack_rules
from workers.state import read_state

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
BARE, MASKED = (0.05, 0.9, 0.05), (0.9, 0.05, 0.05)
CHANCES = {Verdict.WITHOUT_MASK: BARE, Verdict.WITH_MASK: MASKED, Verdict.INCORRECT_MASK: (0.1, 0.1, 0.8)}
DOOR = Rule("door", zone="door", grace_s=2.0, cooldown_s=30.0)
HERE, AWAY = frozenset({"door"}), frozenset[str]()
STARTED, ENDED = EventKind.VIOLATION_STARTED, EventKind.VIOLATION_ENDED


def bare(track_id: int = 1, zones: frozenset[str] = HERE, *, is_seen: bool = True, size_px: float = 40.0) -> Sighting:
    return Sighting(track_id, zones, Verdict.WITHOUT_MASK, BARE if is_seen else (), is_seen, size_px=size_px)


def masked(track_id: int = 1, zones: frozenset[str] = HERE) -> Sighting:
    return Sighting(track_id, zones, Verdict.WITH_MASK, MASKED)


@dataclass
class Camera:
    """Plays frames to the rules, five a second, with a clock of its own."""

    rules: Sequence[Rule] = (DOOR,)
    keeps_pictures: bool = False
    epoch: str = "e1"
    time_s: float = 0.0
    state: RuleState = field(default_factory=RuleState)
    alive: dict[int, Verdict] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)

    def frame(self, *people: Sighting, closed: Iterable[int] = (), passed_s: float = 0.2) -> list[Record]:
        self.time_s += passed_s
        self.alive |= {one.track_id: one.verdict for one in people}
        gone = {one: self.alive.pop(one) for one in closed}
        moment = Moment(
            "lobby", self.epoch, self.time_s, NOON + timedelta(seconds=self.time_s), self.rules, people,
            frozenset(self.alive), gone, self.keeps_pictures,
        )  # fmt: skip
        outcome = step(self.state, moment)
        assert step(self.state, moment) == outcome  # a repeat says the same, under the same ids
        # As the worker of the next frame gets it.
        self.state = unpack_rules(pack_rules(outcome.state, sorted(self.alive)), sorted(self.alive))
        self.records += outcome.records
        self.wishes += outcome.wishes
        return list(outcome.records)

    def play(self, seconds: float, *people: Sighting) -> list[Record]:
        return [record for _ in range(round(seconds * 5)) for record in self.frame(*people)]

    def close(self) -> list[Record]:
        return self.frame(closed=list(self.alive))

    @property
    def told(self) -> list[tuple[EventKind, int | None]]:
        return [(one.kind, one.track_id) for one in self.records if isinstance(one, Event)]


def events(records: Iterable[Record]) -> list[Event]:
    return [one for one in records if isinstance(one, Event)]


# --- one violation ---


def test_violation_is_told_once_after_the_grace_time_and_ends_with_its_duration() -> None:
    camera = Camera()
    assert camera.play(2.4, bare()) == []
    (started,) = events(camera.play(10, bare()))
    assert (started.kind, started.zone, started.rule, started.track_id) == (STARTED, "door", "door", 1)
    assert (started.severity, started.verdict, started.duration_s) == (Severity.WARNING, Verdict.WITHOUT_MASK, None)
    assert started.looks >= 10
    assert [round(score, 2) for score in started.scores] == [0.05, 0.9, 0.05]
    (ended,) = events(camera.play(5, masked()))
    assert (ended.kind, ended.verdict) == (ENDED, Verdict.WITH_MASK)
    # It began with the third look against it, at 0.6 s, and held last at 12.4 s.
    assert ended.duration_s is not None
    assert round(ended.duration_s, 3) == 11.8
    assert ended.time_utc - NOON > timedelta(seconds=13.4)


def test_violation_ends_when_its_person_has_gone() -> None:
    camera = Camera()
    camera.play(4, bare())
    ended, *closed = camera.frame(closed=[1], passed_s=2.0)
    assert isinstance(ended, Event)
    assert (ended.kind, ended.verdict) == (ENDED, Verdict.WITHOUT_MASK)
    assert [one.zone for one in closed] == ["", "door"]


def test_mask_worn_wrongly_is_a_violation() -> None:
    camera = Camera()
    camera.play(4, Sighting(1, HERE, Verdict.INCORRECT_MASK, CHANCES[Verdict.INCORRECT_MASK]))
    assert camera.told == [(STARTED, 1)]


def test_unknown_is_no_violation_whatever_single_looks_say() -> None:
    camera = Camera()
    camera.play(20, Sighting(1, HERE, Verdict.UNKNOWN, BARE))
    assert camera.told == []


def test_verdict_without_enough_looks_is_no_violation_yet() -> None:
    camera = Camera(rules=[replace(DOOR, looks_of=5, looks_at_least=5, grace_s=0)])
    for person in (bare(), bare(), masked(), bare(), bare(), bare(), bare()):
        assert camera.frame(replace(person, verdict=Verdict.WITHOUT_MASK)) == []
    assert len(camera.frame(bare())) == 1


def test_frames_without_a_look_bring_no_evidence() -> None:
    camera = Camera(rules=[replace(DOOR, grace_s=0)])
    camera.play(20, replace(bare(), chances=()))
    assert camera.told == []


def test_without_grace_time_it_is_told_at_once() -> None:
    camera = Camera(rules=[replace(DOOR, grace_s=0, looks_of=1, looks_at_least=1)])
    assert len(camera.frame(bare())) == 1


def test_tentative_tracks_violate_nothing_but_their_looks_count() -> None:
    camera = Camera(rules=[replace(DOOR, grace_s=0)])
    camera.play(2, replace(bare(), is_person=False))
    assert camera.told == []
    assert len(camera.frame(bare())) == 1


# --- where and when ---


def test_rule_of_a_zone_leaves_the_others_alone() -> None:
    camera = Camera()
    camera.play(10, bare(zones=AWAY), bare(2, frozenset({"desk"})))
    assert camera.told == []


def test_rule_without_zone_holds_everywhere() -> None:
    camera = Camera(rules=[Rule("all")])
    camera.play(5, bare(zones=AWAY))
    assert camera.told == [(STARTED, 1)]


def test_face_on_the_edge_of_a_zone_makes_one_violation() -> None:
    camera = Camera()
    for _ in range(60):
        camera.frame(bare())
        camera.play(0.6, bare(zones=AWAY))
    assert camera.told == [(STARTED, 1)]


def test_leaving_the_zone_ends_it() -> None:
    camera = Camera()
    camera.play(5, bare())
    camera.play(3, bare(zones=AWAY))
    assert camera.told == [(STARTED, 1), (ENDED, 1)]


def test_rule_holds_in_its_hours_only() -> None:
    shift = replace(DOOR, schedule=Schedule((0,), 12 * 60 + 1, 12 * 60 + 2, "UTC"), cooldown_s=0)
    camera = Camera(rules=[shift])
    camera.play(200, bare())
    started, ended = events(camera.records)
    assert NOON + timedelta(seconds=60) <= started.time_utc <= NOON + timedelta(seconds=63)
    assert NOON + timedelta(seconds=120) <= ended.time_utc <= NOON + timedelta(seconds=122)


# --- no more than one sees ---


def test_short_occlusion_neither_ends_nor_restarts_a_violation() -> None:
    camera = Camera()
    camera.play(5, bare())
    camera.play(0.4, bare(is_seen=False))
    camera.play(1.4)
    camera.play(5, bare())
    assert camera.told == [(STARTED, 1)]


def test_wavering_verdict_makes_one_violation() -> None:
    camera = Camera()
    for _ in range(20):
        camera.play(1, bare())
        camera.play(0.6, masked())
    assert camera.told == [(STARTED, 1)]


def test_same_person_is_told_again_only_after_the_cool_down() -> None:
    camera = Camera()
    camera.play(5, bare())
    camera.play(5, masked())
    camera.play(20, bare())
    assert len(camera.told) == 2
    camera.play(12, bare())
    assert camera.told == [(STARTED, 1), (ENDED, 1), (STARTED, 1)]
    first, _, again = events(camera.records)
    assert first.id != again.id


def test_another_person_is_told_during_the_cool_down() -> None:
    camera = Camera()
    camera.play(5, bare(1))
    camera.play(5, masked(1), bare(2))
    assert camera.told == [(STARTED, 1), (ENDED, 1), (STARTED, 2)]


def test_two_rules_tell_the_same_person_each() -> None:
    camera = Camera(rules=[DOOR, Rule("all")])
    camera.play(5, bare())
    assert sorted(one.rule for one in events(camera.records)) == ["all", "door"]
    assert len({one.id for one in events(camera.records)}) == 2


# --- crowds ---


def test_crowd_is_told_once_with_its_number_and_again_after_the_cool_down() -> None:
    camera = Camera(rules=[Rule("full", zone="door", requires_mask=False, crowd=2, grace_s=1, cooldown_s=10)])
    people = [masked(number) for number in range(1, 5)]
    camera.play(10, *people[:2], replace(people[2], zones=AWAY))
    assert camera.told == []
    camera.play(10, *people)
    (crowd,) = events(camera.records)
    assert (crowd.kind, crowd.people, crowd.track_id, crowd.verdict, crowd.looks) == (EventKind.CROWD, 4, None, None, 0)
    camera.play(3, *people[:2])
    camera.play(5, *people)
    assert len(camera.told) == 1
    camera.play(8, *people)
    assert len(camera.told) == 2


# --- the configuration changes ---


def test_crowd_number_70000_of_one_epoch_has_an_id_of_its_own() -> None:
    often = Rule("hall", requires_mask=False, crowd=0, grace_s=0.0, cooldown_s=0.0)
    camera = Camera(rules=[often])
    camera.frame(bare(zones=AWAY))
    (key,) = camera.state.matters
    camera.state = replace(
        camera.state, matters={key: Matter(Phase.OVER, camera.time_s, camera.time_s, ordinal=70_000)}
    )
    ids = set()
    for _ in range(3):
        (told,) = events(camera.play(2, bare(zones=AWAY)))
        ids.add(told.id)
        assert camera.play(2) == []
    assert len(ids) == 3


def test_crowds_go_on_with_numbers_that_were_not_given_when_the_state_was_lost() -> None:
    often = Rule("hall", requires_mask=False, crowd=0, grace_s=0.0, cooldown_s=0.0)
    camera = Camera(rules=[often])
    before = {one.id for _ in range(20) for one in events(camera.play(1, bare(zones=AWAY)) + camera.play(1.4))}
    assert len(before) == 20
    camera.state = read_state(b"of another version", camera.epoch, camera.time_s).rules
    after = {one.id for _ in range(20) for one in events(camera.play(1, bare(zones=AWAY)) + camera.play(1.4))}
    assert len(after) == 20
    assert not before & after


def test_rule_that_is_taken_out_ends_its_violations_under_its_own_name() -> None:
    camera = Camera(rules=[replace(DOOR, severity=Severity.CRITICAL)])
    camera.play(5, bare())
    camera.rules = [Rule("other", requires_mask=False, crowd=9)]
    (ended,) = events(camera.frame(bare()))
    assert (ended.kind, ended.rule, ended.zone, ended.severity) == (ENDED, "door", "door", Severity.CRITICAL)
    assert camera.play(2, bare()) == []
    camera.close()
    assert camera.state.matters == {}
    assert camera.state.rules == {}


# --- people who have gone ---


def test_person_counts_once_for_the_camera_and_once_for_each_zone() -> None:
    camera = Camera(rules=())
    camera.play(1, masked(1, frozenset({"door"})), masked(2, AWAY))
    camera.play(1, masked(1, frozenset({"desk"})), masked(2, AWAY))
    closed = [one for one in camera.close() if isinstance(one, PersonClosed)]
    assert [(one.zone, one.verdict) for one in closed] == [
        ("", Verdict.WITH_MASK), ("desk", Verdict.WITH_MASK), ("door", Verdict.WITH_MASK), ("", Verdict.WITH_MASK),
    ]  # fmt: skip
    assert closed[1].id == person_id("e1", 1, "desk")
    assert camera.state == RuleState()


def test_person_whom_nobody_looked_at_counts_as_unknown() -> None:
    outcome = step(RuleState(), Moment("lobby", "e1", 0.0, NOON, closed={3: Verdict.UNKNOWN}))
    assert outcome.records == (PersonClosed(person_id("e1", 3, ""), "lobby", "", Verdict.UNKNOWN, NOON),)


# --- pictures ---


def test_picture_is_kept_at_the_start_and_again_when_a_much_better_one_comes() -> None:
    camera = Camera(keeps_pictures=True)
    camera.play(4, bare(size_px=40))
    assert len(camera.wishes) == 1
    camera.play(2, bare(size_px=45))
    assert len(camera.wishes) == 1
    camera.play(2, bare(size_px=80))
    assert len(camera.wishes) == 2
    camera.close()
    started, ended = events(camera.records)
    assert {wish.key for wish in camera.wishes} == {started.snapshot} == {ended.snapshot} == {started.id.hex}
    assert {wish.track_id for wish in camera.wishes} == {1}


def test_no_picture_is_wished_for_where_none_may_be_kept() -> None:
    camera = Camera()
    camera.play(4, bare())
    camera.close()
    assert camera.wishes == []
    assert {one.snapshot for one in events(camera.records)} == {None}


# --- what holds of every course of things ---


def test_more_matters_than_there_is_room_for_wait() -> None:
    camera = Camera(rules=[Rule(f"r{at}", grace_s=0) for at in range(16)])
    camera.play(2, *(bare(number) for number in range(1, 51)))
    assert len(camera.state.matters) == MOST_MATTERS
    camera.close()
    kinds = [kind for kind, _ in camera.told]
    assert kinds.count(STARTED) == kinds.count(ENDED) == MOST_MATTERS


VERDICTS = st.sampled_from(list(Verdict))
FACES = st.tuples(st.sampled_from([HERE, AWAY]), VERDICTS, st.sampled_from(list(CHANCES.values())), st.booleans())
FRAMES = st.lists(
    st.tuples(
        st.sampled_from([0.05, 0.2, 0.5, 2.0]),
        st.dictionaries(st.integers(1, 3), FACES, max_size=3),
        st.sets(st.integers(1, 3), max_size=1),
        st.integers(1, 12),
    ),
    max_size=25,
)
RULES = st.builds(
    Rule,
    name=st.just("door"),
    zone=st.sampled_from(["", "door"]),
    looks_of=st.just(5),
    looks_at_least=st.integers(1, 5),
    grace_s=st.sampled_from([0.0, 0.5, 3.0]),
    cooldown_s=st.sampled_from([0.0, 4.0]),
)


@settings(deadline=None, max_examples=60)
@given(RULES, FRAMES)
def test_every_violation_starts_once_and_ends_once_in_turn(rule: Rule, frames: list[tuple[float, dict[int, tuple[
    frozenset[str], Verdict, tuple[float, float, float], bool]], set[int], int]]) -> None:  # fmt: skip
    camera = Camera(rules=[rule])
    ids: dict[int, int] = {}
    next_id = 1
    for passed_s, faces, gone, repeats in frames:
        for _ in range(repeats):
            people = []
            for place, (zones, verdict, chances, is_seen) in faces.items():
                if place not in ids:
                    ids[place], next_id = next_id, next_id + 1
                people.append(Sighting(ids[place], zones, verdict, chances if is_seen else (), is_seen))
            before = camera.state
            for event in events(camera.frame(*people, passed_s=passed_s)):
                person = next(one for one in people if one.track_id == event.track_id)
                assert person.is_seen
                if event.kind is STARTED:
                    assert person.verdict in (Verdict.WITHOUT_MASK, Verdict.INCORRECT_MASK)
                    assert rule.zone in ("", *person.zones)
                    assert camera.state.looks[person.track_id].is_evident(rule)
                assert before.matters or rule.grace_s == 0
        leaving = [ids.pop(place) for place in gone if place in ids]
        camera.frame(closed=[one for one in leaving if one in camera.alive], passed_s=0.2)
    camera.close()
    check_course(rule, events(camera.records))
    assert camera.state.matters == {}
    assert len({record.id for record in camera.records}) == len(camera.records)


def check_course(rule: Rule, course: list[Event]) -> None:
    """Check what holds of the events of one rule, whatever happened."""
    for track_id in {one.track_id for one in course}:
        own = [one for one in course if one.track_id == track_id]
        assert [one.kind for one in own] == [STARTED, ENDED] * (len(own) // 2)
        for started, ended in zip(own[::2], own[1::2], strict=True):
            assert ended.duration_s is not None
            assert ended.duration_s >= rule.grace_s - 0.02
            assert ended.time_utc >= started.time_utc
        for ended, again in zip(own[1::2], own[2::2], strict=False):
            assert (again.time_utc - ended.time_utc).total_seconds() >= rule.cooldown_s - 3.1


def test_mean_of_looks_forgets_the_oldest_only_slowly() -> None:
    looks = Looks()
    for _ in range(400):
        looks = looks.with_look(BARE)
    assert looks.count == 255
    assert [round(mean, 6) for mean in looks.means] == [0.05, 0.9, 0.05]

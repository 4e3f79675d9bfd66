from __future__ import annotations

import random

import pytest

from ingest.holding import plan, share

FREE: dict[str, str | None] = {f"c{n}": None for n in range(5)}


@pytest.mark.parametrize("ingests", [1, 2, 3, 7])
@pytest.mark.parametrize("cameras", [0, 1, 5, 32])
def test_shares_add_up_and_differ_by_one_at_most(ingests: int, cameras: int) -> None:
    names = [f"i{n}" for n in range(ingests)]
    shares = [share(name, names, cameras) for name in names]
    assert sum(shares) == cameras
    assert max(shares) - min(shares) <= 1


def test_first_ingest_takes_all() -> None:
    assert plan("a", ["a"], FREE, {}, set()).take == tuple(FREE)


def test_second_ingest_waits_for_what_the_first_gives() -> None:
    holders = dict.fromkeys(FREE, "a")
    assert plan("b", ["a", "b"], FREE, holders, set()).take == ()
    assert plan("a", ["a", "b"], FREE, holders, set(FREE)).give == ("c3", "c4")


def rounds_until_even(cameras: int, living: list[str]) -> int:
    """Play the moves from one holder of all to even shares; a round is a giving and a taking."""
    wanted: dict[str, str | None] = {f"c{n:04}": None for n in range(cameras)}
    holders = dict.fromkeys(wanted, living[0])
    for number in range(100):
        counts = [list(holders.values()).count(name) for name in living]
        if max(counts) - min(counts) <= 1:
            return number
        for me in living:
            mine = {name for name, holder in holders.items() if holder == me}
            step = plan(me, living, wanted, dict(holders), mine)
            for name in step.give:
                del holders[name]
            for name in step.take:
                holders[name] = me
    raise AssertionError("never even")


@pytest.mark.parametrize(("cameras", "most"), [(3, 1), (12, 2), (100, 4), (1000, 6)])
def test_shares_are_even_after_few_moves_however_many_cameras_there_are(cameras: int, most: int) -> None:
    assert rounds_until_even(cameras, ["a", "b", "c"]) <= most


def test_nothing_more_is_given_while_a_camera_waits_for_its_taker() -> None:
    holders = dict.fromkeys(["c0", "c1", "c2", "c3"], "a")
    assert plan("a", ["a", "b"], FREE, holders, set(holders)).give == ()
    assert plan("b", ["a", "b"], FREE, holders, set()).take == ("c4",)


def test_cameras_of_a_dead_ingest_are_taken_by_the_living() -> None:
    assert plan("b", ["b"], FREE, dict.fromkeys(["c3", "c4"], "b"), {"c3", "c4"}).take == ("c0", "c1", "c2")


def test_bound_camera_is_taken_by_its_ingest_alone_and_weighs_nothing() -> None:
    cameras: dict[str, str | None] = {"desk": "pc", "x": None, "y": None}
    assert plan("a", ["a", "pc"], cameras, {}, set()).take == ("x",)
    assert plan("pc", ["a", "pc"], cameras, {}, set()).take == ("desk", "x")
    assert plan("b", ["a", "b"], {"desk": "pc"}, {}, set()).take == ()


def test_camera_that_was_bound_elsewhere_is_given() -> None:
    assert plan("a", ["a", "pc"], {"desk": "pc"}, {"desk": "a"}, {"desk"}).give == ("desk",)


def test_own_cameras_from_before_a_restart_are_taken_again() -> None:
    cameras = {**FREE, "desk": "a"}
    assert set(plan("a", ["a"], cameras, dict.fromkeys(cameras, "a"), set(), reclaim=True).take) == set(cameras)


def test_cameras_of_a_process_of_the_same_name_are_left_alone() -> None:
    cameras = {**FREE, "desk": "a"}
    assert plan("a", ["a"], cameras, dict.fromkeys(cameras, "a"), set()).take == ()


@pytest.mark.parametrize("seed", range(5))
def test_any_start_settles_to_even_shares_without_a_camera_held_twice(seed: int) -> None:
    rng = random.Random(seed)
    cameras: dict[str, str | None] = {f"c{n}": None for n in range(rng.randint(1, 20))}
    names = [f"i{n}" for n in range(rng.randint(1, 4))]
    holders = {camera: rng.choice(names) for camera in cameras if rng.random() < 0.7}
    for _ in range(200):
        me = rng.choice(names)
        step = plan(me, names, cameras, dict(holders), {name for name, holder in holders.items() if holder == me})
        for name in step.take:
            holders.setdefault(name, me)
        for name in step.give:
            assert holders.pop(name) == me
    assert set(holders) == set(cameras)
    counts = [list(holders.values()).count(name) for name in names]
    assert max(counts) - min(counts) <= 1

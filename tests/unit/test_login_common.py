from __future__ import annotations

import time

import pytest

from tests.support_bus import FakeClock
from web.login.common import Common, Door


def tries(common: Common, address: str, count: int) -> list[bool]:
    return [common.wait_s(Door.PASSWORD, address) == 0 for _ in range(count)]


def test_one_address_has_so_many_tries_a_minute() -> None:
    common = Common()
    assert tries(common, "10.0.0.1", 11) == [True] * 10 + [False]
    assert tries(common, "10.0.0.2", 1) == [True]
    assert 1 <= common.wait_s(Door.PASSWORD, "10.0.0.1") <= 60


def test_tries_come_back_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    common, begun, now = Common(), time.time(), [0.0]
    monkeypatch.setattr(time, "time", lambda: begun + now[0])
    for minute in range(6):
        now[0] = 61.0 * minute
        assert tries(common, "10.0.0.1", 11) == [True] * 10 + [False]
    now[0] = 61.0 * 6
    assert tries(common, "10.0.0.1", 1) == [False]
    assert common.wait_s(Door.PASSWORD, "10.0.0.1") > 120
    now[0] = 3700.0
    assert tries(common, "10.0.0.1", 1) == [True]


@pytest.mark.parametrize(
    ("first", "second", "are_one"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("unknown", "unknown", True),
    ],
)
def test_network_of_64_bits_is_one_place(first: str, second: str, are_one: bool) -> None:
    common = Common()
    assert all(tries(common, first, 10))
    assert tries(common, second, 1) == [not are_one]


def test_tries_at_tokens_are_counted_apart() -> None:
    common = Common()
    tries(common, "10.0.0.1", 11)
    assert common.wait_s(Door.TOKEN, "10.0.0.1") == 0


def test_ended_session_is_over() -> None:
    common = Common(clock=FakeClock())
    assert not common.is_ended("a")
    common.end_session("a", 0.5)
    assert common.is_ended("a")
    assert not common.is_ended("b")

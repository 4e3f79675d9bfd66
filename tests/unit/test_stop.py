"""The request to end: by any thread, and by handlers that interrupt anything."""

from __future__ import annotations

import os
import threading
import time

import pytest

from maskwatch.service import Stop


def test_wait_ends_at_its_time_without_a_request() -> None:
    stop = Stop()
    began_s = time.monotonic()
    assert not stop.wait(0.02)
    assert time.monotonic() - began_s >= 0.02
    assert not stop.wait(0)
    assert not stop.requested


def test_request_wakes_every_thread_that_waits_and_those_that_come_later() -> None:
    stop = Stop()
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(stop.wait(60))) for _ in range(3)]
    for thread in threads:
        thread.start()
    stop.request()
    stop.request()
    for thread in threads:
        thread.join(30)
    assert answers == [True] * 3
    assert stop.wait(60)


def test_request_is_made_without_a_lock() -> None:
    """A handler may interrupt a wait or another handler anywhere; a lock that is held there is held for ever."""
    stop = Stop()
    held = [value for value in vars(stop).values() if not isinstance(value, bool | int)]
    assert held == []


def test_its_descriptor_is_closed_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []
    close = os.close

    def noted(descriptor: int) -> None:
        closed.append(descriptor)
        close(descriptor)

    monkeypatch.setattr(os, "close", noted)
    stop = Stop()
    (bell,) = (value for value in vars(stop).values() if type(value) is int)
    assert os.readlink(f"/proc/self/fd/{bell}") == "anon_inode:[eventfd]"
    closed.clear()
    del stop
    assert closed == [bell]

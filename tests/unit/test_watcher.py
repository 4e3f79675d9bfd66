from __future__ import annotations

import threading

from web.watcher import Picture, Watcher


def a_watcher(cameras: frozenset[str] | None = None) -> tuple[Watcher, list[Watcher]]:
    forgotten: list[Watcher] = []
    return Watcher(cameras, 320, True, forgotten.append), forgotten


def a_picture(camera: str, frame_id: str) -> Picture:
    return Picture(camera, frame_id, True, b"jpeg")


def test_newer_picture_replaces_the_older_one() -> None:
    watcher, _ = a_watcher()
    for number in range(1000):
        watcher.put(a_picture("a", str(number)))
    assert watcher.take(0) == a_picture("a", "999")
    assert watcher.take(0) is None


def test_cameras_take_turns() -> None:
    watcher, _ = a_watcher()
    watcher.put(a_picture("a", "1"))
    watcher.put(a_picture("b", "1"))
    watcher.put(a_picture("a", "2"))
    assert [watcher.take(0), watcher.take(0)] == [a_picture("a", "2"), a_picture("b", "1")]


def test_overview_comes_first_and_is_the_newest() -> None:
    watcher, _ = a_watcher()
    watcher.put(a_picture("a", "1"))
    watcher.put_overview(b"old")
    watcher.put_overview(b"new")
    assert watcher.take(0) == b"new"
    assert watcher.take(0) == a_picture("a", "1")


def test_watcher_of_all_wants_later_cameras_too() -> None:
    assert a_watcher(None)[0].wants("anything")
    assert a_watcher(frozenset({"a"}))[0].wants("a")
    assert not a_watcher(frozenset({"a"}))[0].wants("b")


def test_close_wakes_who_waits_and_is_told_once() -> None:
    watcher, forgotten = a_watcher()
    results: list[object] = []
    waiting = threading.Thread(target=lambda: results.append(watcher.take(90)))
    waiting.start()
    watcher.close()
    watcher.close()
    waiting.join(60)
    assert results == [None]
    assert forgotten == [watcher]
    assert watcher.is_closed()

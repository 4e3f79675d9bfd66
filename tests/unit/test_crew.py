"""What is done with cameras, in which order; cameras and the book are stand-ins that take notes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

import pytest

import ingest.crew
from ingest.camera import Camera
from ingest.crew import Crew
from ingest.states import CameraMachine, Happening
from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.messages import CameraInfo, Hold
from maskwatch.errors import BrokerDown
from maskwatch.settings import CameraSettings, Settings
from maskwatch.types import CameraState, CameraStatus


class FakeCamera:
    def __init__(self, hold: Hold, settings: CameraSettings, notes: list[str]) -> None:
        self.name, self.hold, self.settings, self.notes = hold.camera, hold, settings, notes
        self.machine = CameraMachine()
        self.is_alive, self.is_changing_epoch, self.crashes = True, False, 0
        self.last_due_s: float | None = None
        self.factor = 0.0
        notes.append(f"open {self.name}")

    def shed(self, fps_factor: float) -> None:
        self.factor = fps_factor

    def request_stop(self) -> None:
        self.notes.append(f"stop {self.name}")

    def retune(self, settings: CameraSettings) -> None:
        self.settings = settings
        self.notes.append(f"retune {self.name}")

    def adopt(self, hold: Hold) -> None:
        self.hold = hold
        self.notes.append(f"adopt {self.name}")

    def watch(self) -> None:
        """Nothing to notice."""

    def status(self) -> CameraStatus:
        return CameraStatus(self.machine.state)


class FakeBook:
    def __init__(self, notes: list[str]) -> None:
        self.notes = notes
        self.held: dict[str, Hold] = {}
        self.elsewhere: dict[str, str] = {}
        self.known: dict[str, CameraInfo] = {}
        self.living = ["me"]
        self.epochs = 0
        self.renewals = 0
        self.is_down = False

    def register(self, infos: Sequence[CameraInfo]) -> None:
        if self.is_down:
            raise BrokerDown("away")
        self.known |= {info.name: info for info in infos}

    def configured(self) -> dict[str, CameraInfo]:
        return self.known

    def heartbeat(self, ingest: str) -> list[str]:
        return self.living

    def leave(self, ingest: str) -> None:
        self.notes.append("leave")

    def holders(self) -> dict[str, str]:
        return self.elsewhere | dict.fromkeys(self.held, "me")

    def hold(self, camera: str, ingest: str) -> Hold | None:
        if camera in self.elsewhere:
            return None
        self.epochs += 1
        self.held[camera] = Hold(camera, str(self.epochs))
        return self.held[camera]

    def renew(self, holds: Sequence[Hold]) -> list[bool]:
        self.renewals += 1
        if self.is_down:
            raise BrokerDown("away")
        return [self.held.get(hold.camera) == hold for hold in holds]

    def new_epoch(self, hold: Hold) -> Hold | None:
        self.notes.append(f"new epoch {hold.camera}")
        return self.hold(hold.camera, "me")

    def release(self, hold: Hold) -> None:
        self.held.pop(hold.camera, None)
        self.notes.append(f"release {hold.camera}")

    def end(self, hold: Hold) -> None:
        self.notes.append(f"end {hold.camera}")

    def publish(self, hold: Hold, status: CameraStatus) -> bool:
        self.notes.append(f"{hold.camera} is {status.state.value}")
        return True

    def retire(self, camera: str) -> None:
        self.known.pop(camera, None)
        self.notes.append(f"retire {camera}")


class Scene:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.book = FakeBook(self.notes)
        self.cameras: dict[str, FakeCamera] = {}
        self.crew = Crew("me", self.settings("a", "b"), cast(CameraBook, self.book), self.hire)
        self.crew.cycle()

    def settings(self, *names: str, **options: object) -> Settings:
        return Settings.model_validate({"cameras": {name: {"source": f"{name}.mp4", **options} for name in names}})

    def hire(self, hold: Hold, settings: CameraSettings) -> Camera:
        self.cameras[hold.camera] = FakeCamera(hold, settings, self.notes)
        return cast(Camera, self.cameras[hold.camera])

    def since(self) -> list[str]:
        notes = [note for note in self.notes if " is " not in note]
        self.notes.clear()
        return notes


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    assert scene.since() == ["open a", "open b"]
    return scene


def test_source_is_closed_before_its_camera_is_given_back(scene: Scene) -> None:
    scene.book.living = ["me", "other"]
    scene.crew.cycle()
    scene.crew.step()
    assert scene.since() == ["stop b"]
    scene.cameras["b"].is_alive = False
    scene.crew.step()
    assert scene.since() == ["release b"]


def test_changed_source_is_closed_before_it_is_opened_under_a_new_epoch(scene: Scene) -> None:
    scene.crew.apply(scene.settings("a", "b", rotate=90))
    scene.crew.step()
    assert scene.since() == ["stop a", "stop b"]
    scene.cameras["a"].is_alive = False
    scene.crew.step()
    assert scene.since() == ["new epoch a", "open a"]


def test_other_rate_leaves_the_source_open(scene: Scene) -> None:
    scene.crew.apply(scene.settings("a", "b", fps=9, width=320))
    scene.crew.step()
    assert scene.since() == ["retune a", "retune b"]


def test_removed_camera_is_retired_once_redis_can_be_reached(scene: Scene) -> None:
    scene.crew.apply(scene.settings("a"))
    scene.book.is_down = True
    with pytest.raises(BrokerDown):
        scene.crew.cycle()
    scene.book.is_down = False
    scene.crew.cycle()
    assert scene.since() == ["stop b", "retire b"]


def test_cameras_that_left_the_configuration_while_no_ingest_ran_are_retired() -> None:
    notes: list[str] = []
    book = FakeBook(notes)
    book.known = {name: CameraInfo(name) for name in ("a", "gone", "held")}
    book.elsewhere = {"held": "other"}
    settings = Settings.model_validate({"cameras": {"a": {"source": "a.mp4", "enabled": False}}})
    crew = Crew("me", settings, cast(CameraBook, book), lambda hold, camera: pytest.fail("nothing to read"))
    crew.cycle()
    crew.cycle()
    assert notes == ["retire gone"]


@pytest.mark.parametrize(("holder", "expected"), [("", ["adopt a"]), ("other", ["stop a"])])
def test_lost_hold_is_taken_again_or_its_source_closed(scene: Scene, holder: str, expected: list[str]) -> None:
    del scene.book.held["a"]
    if holder:
        scene.book.elsewhere["a"] = holder
    scene.crew.cycle()
    assert scene.since() == expected


def test_hold_that_changes_its_epoch_just_now_is_not_lost(scene: Scene) -> None:
    del scene.book.held["a"]
    scene.cameras["a"].is_changing_epoch = True
    scene.crew.cycle()
    assert scene.since() == []


def test_tracks_are_ended_once_after_ten_seconds_without_a_frame(scene: Scene) -> None:
    camera = scene.cameras["a"]
    camera.machine.happen(Happening.PICTURE)
    camera.last_due_s = time.monotonic()
    camera.machine.happen(Happening.LOSS, "gone")
    scene.crew.step()
    assert scene.since() == []
    camera.last_due_s -= ingest.crew._LOST_S
    scene.crew.step()
    scene.crew.step()
    assert scene.since() == ["end a"]
    camera.machine.happen(Happening.PICTURE)
    camera.last_due_s = time.monotonic() - 2 * ingest.crew._LOST_S
    scene.crew.step()
    assert scene.since() == []


def test_change_of_state_is_published_at_once(scene: Scene) -> None:
    scene.crew.step()
    scene.notes.clear()
    scene.cameras["a"].machine.happen(Happening.PICTURE)
    scene.cameras["a"].machine.silent("no packet for 2 s")
    scene.crew.step()
    assert scene.notes == [f"a is {CameraState.STALLED.value}"]


def test_end_closes_all_sources_before_anything_is_given_back(scene: Scene) -> None:
    for camera in scene.cameras.values():
        camera.is_alive = False
    assert scene.crew.close_sources(1.0)
    scene.crew.give_back()
    assert scene.since() == ["stop a", "stop b", "release a", "release b", "leave"]


def test_source_that_hangs_does_not_hold_up_the_end(scene: Scene) -> None:
    scene.cameras["a"].is_alive = False
    assert not scene.crew.close_sources(0.1)
    scene.crew.give_back()
    assert scene.since()[-3:] == ["release a", "release b", "leave"]


class Clock:
    """Stands for the module `time`: it passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, delay_s: float) -> None:
        self.now_s += delay_s


@pytest.mark.parametrize(("is_down", "renewals"), [(False, 5), (True, 1)])
def test_holds_are_renewed_while_sources_close_unless_redis_is_silent(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, is_down: bool, renewals: int
) -> None:
    monkeypatch.setattr(ingest.crew, "time", Clock())
    scene.book.renewals, scene.book.is_down = 0, is_down
    assert not scene.crew.close_sources(5.5)
    assert scene.book.renewals == renewals


def test_what_is_shed_holds_for_every_camera_and_for_those_that_come_later(scene: Scene) -> None:
    scene.crew.shed(0.5)
    assert {camera.factor for camera in scene.cameras.values()} == {0.5}
    scene.crew.apply(scene.settings("a", "b", "c"))
    scene.crew.cycle()
    assert scene.cameras["c"].factor == 0.5

"""A camera's thread with sources that do what they are told."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import pytest
from structlog.testing import capture_logs

import ingest.backoff
import ingest.camera
from ingest.camera import Camera
from ingest.sender import Sender
from maskwatch.arrays import UInt8Array
from maskwatch.backoff import Backoff
from maskwatch.broker.messages import Hold, OfferStatus
from maskwatch.errors import BrokerDown, SourceAuthError, SourceLost, SourceUnsupported
from maskwatch.media.frame import FrameSource, Grab
from maskwatch.media.loaded import Loaded
from maskwatch.settings import CameraSettings, MotionSettings, Source, SourceKind
from maskwatch.types import CameraState, DropReason
from tests.support import wait_for

Action = Callable[[], Grab | None]

WITHIN_S = 60
"""A machine may be busy; whatever is waited for here takes a moment on one that isn't."""


class Scripted(FrameSource):
    """Gives pictures without end, or does what the test says."""

    def __init__(self, is_paced: bool = False) -> None:
        super().__init__()
        self.is_paced = is_paced
        self.number = 0
        self.next: Action = self.picture
        self.tuned: tuple[int | None, float | None] | None = None
        self.is_closed = False
        self.brightness: Callable[[int], int] = lambda number: 0
        self.unseen = 0
        self.rested: list[bool] = []
        self.may_go_on = threading.Lock()
        """Who holds it looks at what the thread has counted, while it gives no picture."""

    def picture(self) -> Loaded:
        time.sleep(0.005)
        with self.may_go_on:
            self.number += 1
        self._packet_at_s = time.monotonic()
        frame_bgr = np.full((8, 8, 3), self.brightness(self.number), np.uint8)
        return Loaded(
            self.number / 20,
            self._packet_at_s,
            self.number % 2,
            self.unseen,
            source_bgr=frame_bgr,
            width=None,
            rotate=0,
        )

    def grab(self) -> Grab | None:
        return self.next()

    def rest(self, is_still: bool) -> None:
        self.rested.append(is_still)

    def retune(self, *, width: int | None, fps: float | None) -> None:
        self.tuned = (width, fps)

    def close(self) -> None:
        self.is_closed = True


class Stage:
    """Everything around one camera."""

    def __init__(self) -> None:
        self.source = Scripted()
        self.opened = 0
        self.refuse: Exception | None = None
        self.sent: list[tuple[str, float]] = []
        self.dropped: list[DropReason] = []
        self.answer = OfferStatus.ACCEPTED
        self.epochs = 0
        self.wished: list[str] = []
        self.lost_answers = 0
        self.cameras: list[Camera] = []

    def open(
        self,
        source: Source,
        *,
        timeout_s: float,
        transport: str,
        width: int | None,
        rotate: int,
        fps: float | None,
        hwaccel: str,
    ) -> FrameSource:
        if self.refuse:
            raise self.refuse
        self.opened += 1
        return self.source

    def drop(self, reason: DropReason, number: int = 1) -> None:
        self.dropped += [reason] * number

    def send(
        self, hold: Hold, jpeg: bytes, size_wh: tuple[int, int], media_time_s: float, captured_s: float
    ) -> OfferStatus:
        self.sent.append((hold.epoch, media_time_s))
        return self.answer

    def new_epoch(self, hold: Hold, epoch: str) -> Hold:
        self.wished.append(epoch)
        if len(self.wished) <= self.lost_answers:
            raise BrokerDown("no answer")
        self.epochs += 1
        return Hold(hold.camera, f"epoch-{self.epochs}")

    def observe(self, stage: str, seconds: float) -> None:
        assert seconds >= 0

    def begin(self, **options: object) -> Camera:
        settings = CameraSettings.model_validate(
            {"source": "x.mp4", "fps": 20, "motion": {"enabled": False}, **options}
        )
        source = Source(SourceKind.VIDEO, "x.mp4")
        sender = cast(Sender, self)
        camera = Camera(
            Hold("lobby", "epoch-0"), settings, source, sender, epochs=self, timer=self, opener=self.open, holder="me"
        )
        self.cameras.append(camera)
        return camera


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    for camera in stage.cameras:
        camera.request_stop()
    wait_for(lambda: not any(camera.is_alive for camera in stage.cameras), WITHIN_S, "the threads' end")
    assert stage.source.is_closed or not stage.opened


def await_state(camera: Camera, state: CameraState) -> None:
    wait_for(lambda: camera.machine.state is state, WITHIN_S, f"{state}")


def fail(error: Exception) -> Action:
    def action() -> Grab | None:
        time.sleep(0.005)
        raise error

    return action


def test_pictures_are_offered_under_the_hold_and_left_out_ones_are_counted(stage: Stage) -> None:
    camera = stage.begin()
    await_state(camera, CameraState.LIVE)
    wait_for(lambda: len(stage.sent) > 5, WITHIN_S, "frames")
    assert {epoch for epoch, _ in stage.sent} == {"epoch-0"}
    assert DropReason.STALE in stage.dropped
    status = camera.status()
    assert (status.state, status.size_wh, status.reconnects, status.holder) == (CameraState.LIVE, (8, 8), 0, "me")


def test_lost_source_is_opened_again_and_its_time_goes_on(stage: Stage) -> None:
    camera = stage.begin()
    wait_for(lambda: len(stage.sent) > 5, WITHIN_S, "frames")
    stage.source.next = fail(SourceLost("rtsp://u:p@x: gone"))
    await_state(camera, CameraState.OFFLINE)
    assert camera.machine.standing.reason == "rtsp://***@x: gone"
    before = len(stage.sent)
    stage.source.number = 0
    stage.source.next = stage.source.picture
    await_state(camera, CameraState.LIVE)
    wait_for(lambda: len(stage.sent) > before + 3, WITHIN_S, "frames")
    times = [media_time_s for _, media_time_s in stage.sent]
    assert times == sorted(times)
    assert times[before] - times[before - 1] > 0.3
    assert camera.status().reconnects >= 1
    assert camera.closings >= 1


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SourceAuthError("no"), CameraState.AUTH_FAILED),
        (SourceUnsupported("no"), CameraState.UNSUPPORTED),
        (ZeroDivisionError("a mistake"), CameraState.FAILED),
    ],
)
def test_failures_have_states_and_end_with_the_stop(stage: Stage, error: Exception, state: CameraState) -> None:
    stage.refuse = error
    with capture_logs():  # a traceback in colours takes seconds
        camera = stage.begin()
        await_state(camera, state)
    assert camera.crashes == (1 if state is CameraState.FAILED else 0)
    assert camera.is_alive


def test_unexpected_failure_while_reading_closes_the_source_and_is_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest.backoff, "after_crash", lambda: Backoff(0.05, 0.1))
    stage.source.next = fail(KeyError("oops"))
    with capture_logs() as lines:
        camera = stage.begin()
        await_state(camera, CameraState.FAILED)
        wait_for(lambda: stage.opened > 2, WITHIN_S, "another try")
        stage.source.next = stage.source.picture
        await_state(camera, CameraState.LIVE)
    assert camera.crashes >= 2
    assert [line["exc_info"] for line in lines if line["event"] == "camera.crashed"] == [True] * camera.crashes


def test_no_picture_is_kept_while_the_next_one_is_waited_for(stage: Stage) -> None:
    pictures: list[weakref.ref[UInt8Array]] = []
    is_waiting, may_go_on = threading.Event(), threading.Event()

    def picture() -> Grab:
        if len(pictures) == 3:
            is_waiting.set()
            may_go_on.wait(WITHIN_S)
        grab = stage.source.picture()
        pictures.append(weakref.ref(grab.source_bgr))
        return grab

    stage.source.next = picture
    stage.begin()
    assert is_waiting.wait(WITHIN_S)
    try:
        assert [picture() for picture in pictures] == [None, None, None]
    finally:
        may_go_on.set()


def test_nothing_of_a_source_that_failed_is_kept_until_the_next_try(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest.backoff, "after_refusal", lambda: Backoff(3600, 3600))
    errors: list[weakref.ref[Exception]] = []

    class Refused(SourceAuthError):
        def __init__(self) -> None:
            super().__init__("no")
            errors.append(weakref.ref(self))

    def refuse() -> Grab:
        raise Refused

    stage.source.next = refuse
    camera = stage.begin()
    await_state(camera, CameraState.AUTH_FAILED)
    wait_for(lambda: errors[0]() is None, WITHIN_S, "the end of the error, which holds the source by its traceback")


def test_stop_of_packets_is_a_stall_and_their_return_ends_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest.camera, "_STALL_S", 0.1)
    camera = stage.begin()
    await_state(camera, CameraState.LIVE)
    blocked = threading.Event()

    def block() -> Grab:
        blocked.wait(WITHIN_S)
        return stage.source.picture()

    stage.source.next = block

    def watched(state: CameraState) -> bool:
        camera.watch()
        return camera.machine.state is state

    wait_for(lambda: watched(CameraState.STALLED), WITHIN_S, "the stall")
    stage.source.next = stage.source.picture
    blocked.set()
    wait_for(lambda: watched(CameraState.LIVE), WITHIN_S, "the return")


def test_waiting_for_a_films_next_picture_is_no_stall(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest.camera, "_STALL_S", 0.1)
    stage.source.is_paced = True
    times_s = iter([0.0, 3600.0])
    black_bgr = np.zeros((8, 8, 3), np.uint8)
    stage.source.next = lambda: Loaded(next(times_s), time.monotonic(), source_bgr=black_bgr, width=None, rotate=0)
    camera = stage.begin()
    await_state(camera, CameraState.LIVE)
    wait_for(lambda: camera._is_waiting, WITHIN_S, "the second picture, whose time comes in an hour")
    ends_s = time.monotonic() + 0.4
    while time.monotonic() < ends_s:
        camera.watch()
        assert camera.machine.state is CameraState.LIVE
        time.sleep(0.01)


def test_film_ends_once(stage: Stage) -> None:
    camera = stage.begin()
    wait_for(lambda: stage.sent, WITHIN_S, "frames")
    stage.source.note = "cut off: 1 of 2 s"
    stage.source.next = lambda: None
    await_state(camera, CameraState.ENDED)
    assert camera.machine.standing.reason == "cut off: 1 of 2 s"
    wait_for(lambda: not camera.is_alive, WITHIN_S, "the thread's end")


def test_loop_begins_a_new_epoch_and_does_not_spin(stage: Stage) -> None:
    stage.source.next = lambda: None
    began_s = time.monotonic()
    camera = stage.begin(loop=True)
    wait_for(lambda: stage.epochs >= 3, WITHIN_S, "three rounds")
    assert time.monotonic() - began_s >= 3 / 20
    assert camera.status().reconnects == 0, "a film that plays again was never lost"


def test_next_round_is_asked_for_again_under_the_same_name_when_no_answer_came(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest.camera, "Backoff", lambda *_delays: Backoff(0.01, 0.01))
    stage.source.next = lambda: None
    stage.lost_answers = 2
    camera = stage.begin(loop=True)
    wait_for(lambda: stage.epochs >= 2, WITHIN_S, "two rounds")
    first, second, third, other = stage.wished[:4]
    assert first == second == third != other
    assert not camera.lost_hold


def test_rate_and_width_change_without_opening_again(stage: Stage) -> None:
    camera = stage.begin()
    wait_for(lambda: stage.sent, WITHIN_S, "frames")
    camera.retune(CameraSettings.model_validate({"source": "x.mp4", "fps": 2, "width": 320}))
    wait_for(lambda: stage.source.tuned == (320, 2), WITHIN_S, "the change")
    assert stage.opened == 1


def test_stale_epoch_is_told_and_another_hold_adopted(stage: Stage) -> None:
    stage.answer = OfferStatus.STALE_EPOCH
    camera = stage.begin()
    wait_for(lambda: camera.lost_hold, WITHIN_S, "the loss")
    stage.answer = OfferStatus.ACCEPTED
    camera.adopt(Hold("lobby", "regained"))
    wait_for(lambda: stage.sent[-1][0] == "regained", WITHIN_S, "frames under the new hold")
    assert stage.opened == 1


STILL = {"enabled": True, "hold_s": 0.5, "keepalive_s": 1.0}


def test_still_pictures_are_counted_and_a_sign_of_life_is_sent_now_and_then(stage: Stage) -> None:
    camera = stage.begin(motion=STILL)
    wait_for(lambda: len(stage.sent) > 12, WITHIN_S, "frames and signs of life")
    assert camera.status().is_still
    times = [media_time_s for _, media_time_s in stage.sent]
    assert times[:10] == [pytest.approx(number / 20) for number in range(1, 11)]
    assert times[11] - times[10] == pytest.approx(1.0)
    assert stage.dropped.count(DropReason.STILL) >= 2 * 19
    assert stage.source.rested[-1]


def test_motion_opens_the_gate_again_at_once(stage: Stage) -> None:
    camera = stage.begin(motion=STILL)
    wait_for(lambda: camera.status().is_still, WITHIN_S, "stillness")
    stage.source.brightness = lambda number: 100 * (number % 2)
    wait_for(lambda: not camera.status().is_still, WITHIN_S, "motion")
    before = len(stage.sent)
    wait_for(lambda: len(stage.sent) > before + 5, WITHIN_S, "frames")
    assert not stage.source.rested[-1]


def test_pictures_that_a_resting_source_did_not_decode_count_as_still(stage: Stage) -> None:
    stage.source.unseen = 3
    stage.begin(motion=STILL)
    wait_for(lambda: len(stage.sent) > 3, WITHIN_S, "frames")
    assert stage.dropped.count(DropReason.STILL) >= 9


def test_motion_may_be_turned_off_while_the_source_is_open(stage: Stage) -> None:
    camera = stage.begin(motion=STILL)
    wait_for(lambda: camera.status().is_still, WITHIN_S, "stillness")
    camera.retune(camera.settings.model_copy(update={"motion": MotionSettings(enabled=False)}))
    before = len(stage.sent)
    wait_for(lambda: len(stage.sent) > before + 5, WITHIN_S, "every frame")
    wait_for(lambda: not stage.source.rested[-1], WITHIN_S, "the source's waking")
    assert not camera.status().is_still
    assert stage.opened == 1


def test_what_a_source_cannot_do_is_told_with_the_status(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.source.remark = "hwaccel cuda: no such device works here (Permission denied); decoded in software"
    camera = stage.begin(hwaccel="cuda")
    await_state(camera, CameraState.LIVE)
    assert camera.status().note == stage.source.remark
    assert "source.remark" in capsys.readouterr().out


def test_share_of_the_frames_is_offered_and_the_others_are_counted(stage: Stage) -> None:
    camera = stage.begin()
    wait_for(lambda: stage.sent, WITHIN_S, "frames")
    camera.shed(0.25)
    wait_for(lambda: stage.dropped.count(DropReason.SHED) > 3, WITHIN_S, "the change")
    with stage.source.may_go_on:
        sent, dropped, number = len(stage.sent), stage.dropped.count(DropReason.SHED), stage.source.number
    wait_for(lambda: len(stage.sent) >= sent + 10, WITHIN_S, "frames")
    with stage.source.may_go_on:
        more, shed = len(stage.sent) - sent, stage.dropped.count(DropReason.SHED) - dropped
        assert abs(shed - 3 * more) <= 4
        assert abs(stage.source.number - number - more - shed) <= 2, "every frame that was due is accounted for"
    with stage.source.may_go_on:
        camera.shed(1.0)
        dropped, sent = stage.dropped.count(DropReason.SHED), len(stage.sent)
    wait_for(lambda: len(stage.sent) >= sent + 10, WITHIN_S, "every frame")
    assert stage.dropped.count(DropReason.SHED) <= dropped + 1
    assert stage.opened == 1

"""One camera: a thread that opens its source, reads, paces, encodes and offers, and comes back after every failure."""

from __future__ import annotations

import contextvars
import secrets
import threading
import time
from dataclasses import dataclass

import structlog

from ingest.backoff import Failure, Patience
from ingest.blackout import Blackout
from ingest.pacing import EpochTime, Pacer, Rate
from ingest.ports import Epochs, Opener, Timer
from ingest.probe import answers
from ingest.selection import Selection
from ingest.sender import Sender
from ingest.states import CameraMachine, Happening, Standing
from maskwatch.backoff import Backoff
from maskwatch.broker.messages import Hold, OfferStatus
from maskwatch.errors import DecodeError, MaskwatchError, QueueError
from maskwatch.media.frame import FrameSource, Grab, MediaFrame
from maskwatch.media.jpeg import encode_jpeg
from maskwatch.settings import CameraSettings, MotionSettings, Source
from maskwatch.types import CameraState, CameraStatus, DropReason

__all__ = ["Camera"]

_STALL_S = 2.0
"""Without a packet; what watches the picture shows it within 3 s."""
_PROBE_EVERY_S = 2.0
_SETTLED_S = 10.0
"""A source that read this long is well again; one that gives a picture and breaks keeps its growing back-off."""


@dataclass(frozen=True, slots=True)
class _Tuning:
    """What may change while the source stays open."""

    width: int
    fps: float
    motion: MotionSettings
    blackout: Blackout

    @staticmethod
    def of(settings: CameraSettings) -> _Tuning:
        return _Tuning(settings.width, settings.fps, settings.motion, Blackout.of(settings))


class Camera:
    """A camera that this ingest holds. Its thread is started at once and never raises."""

    def __init__(
        self,
        hold: Hold,
        settings: CameraSettings,
        source: Source,
        sender: Sender,
        *,
        epochs: Epochs,
        timer: Timer,
        opener: Opener,
        holder: str,
    ) -> None:
        """Begin to read.

        Args:
            hold: under which frames are offered.
            settings: of the camera.
            source: parsed, with its credentials.
            sender: of this camera alone.
            epochs: for the rounds of a loop.
            timer: for durations of stages.
            opener: opens the source.
            holder: name of this ingest.
        """
        self.name = hold.camera
        self.settings = settings
        self.machine = CameraMachine()
        self.crashes = 0
        self.closings = 0
        self.lost_hold = False
        self.is_changing_epoch = False
        self._hold = hold
        self._source = source
        self._sender = sender
        self._epochs = epochs
        self._timer = timer
        self._opener = opener
        self._holder = holder
        self._stop = threading.Event()
        self._wanted = _Tuning.of(settings)
        self._is_still, self._note, self._fps_factor = False, "", 1.0
        self._reading: FrameSource | None = None
        self._is_waiting = False
        self._rate = Rate()
        self._has_opened = self._has_failed = False
        self._reconnects = 0
        self._size_wh = (0, 0)
        self._packet_at_s: float | None = None
        self._time = EpochTime()
        self._last_due_s: float | None = None
        self._settled_at_s = 0.0
        self._patience = Patience()
        self._log = structlog.get_logger().bind(camera=self.name)
        # Its log lines carry what is bound to all of this process' lines.
        run_in_context = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=run_in_context, args=(self._run,), name=f"camera-{self.name}", daemon=True
        )
        self._thread.start()

    @property
    def hold(self) -> Hold:
        """The hold under which frames are offered now."""
        return self._hold

    @property
    def is_alive(self) -> bool:
        """Whether the source may still be open."""
        return self._thread.is_alive()

    @property
    def last_due_s(self) -> float | None:
        """When a frame was last due and read, by the monotonic clock; None before the first."""
        return self._last_due_s

    def adopt(self, hold: Hold) -> None:
        """Offer under another hold from now on; the source stays open."""
        self._hold = hold
        self.lost_hold = False

    def retune(self, settings: CameraSettings) -> None:
        """Take over another rate, width, attention to motion and ignored zones without opening the source again."""
        self.settings = settings
        self._wanted = _Tuning.of(settings)

    def shed(self, fps_factor: float) -> None:
        """Offer this share of the frames that are due from now on, 0..1; the others are counted."""
        self._fps_factor = fps_factor

    def request_stop(self) -> None:
        """Ask the thread to close the source and end."""
        self._stop.set()

    def packet_age_s(self) -> float | None:
        """Return the seconds since data last came; 0 while a file waits for its next picture's time."""
        reading = self._reading
        if self._is_waiting:
            return 0.0
        if reading is not None and reading.packet_age_s is not None:
            return reading.packet_age_s
        at_s = self._packet_at_s
        return None if at_s is None else time.monotonic() - at_s

    def watch(self) -> None:
        """Notice that packets stopped or came again; called often by the supervisor."""
        age_s = self.packet_age_s()
        if age_s is None:
            return
        if age_s >= _STALL_S:
            self.machine.silent(f"no packet for {_STALL_S:g} s")
        else:
            self.machine.resumed()

    def status(self) -> CameraStatus:
        """Return what is to be published."""
        standing: Standing = self.machine.standing
        return CameraStatus(
            state=standing.state,
            reason=standing.reason,
            since_utc=standing.since_utc,
            packet_age_s=self.packet_age_s(),
            captured_fps=round(self._rate.fps(time.monotonic()), 2) if standing.state is CameraState.LIVE else 0.0,
            reconnects=self._reconnects,
            size_wh=self._size_wh,
            holder=self._holder,
            is_still=self._is_still and standing.state is CameraState.LIVE,
            note=self._note,
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            failure = None
            try:
                if self._play():
                    return
            except Exception as error:  # noqa: BLE001 - a thread's edge: one camera's trouble must stay its own
                self._has_failed = True
                failure = self._patience.failure(error)
                self._tell(failure, error)
            # Only here is the error gone, and with it what it held: the source, its decoder, the last picture.
            self.closings += 1
            if failure is not None:
                self._wait(failure)

    def _play(self) -> bool:
        """Open the source and read it to its end.

        Returns:
            Whether that was all: the source ended for good, or the camera is to stop.
        """
        tuned = self._wanted
        with self._opener(
            self._source,
            timeout_s=self.settings.timeout_s,
            transport=self.settings.transport,
            width=tuned.width,
            rotate=self.settings.rotate,
            fps=tuned.fps,
            hwaccel=self.settings.hwaccel,
        ) as source:
            try:
                self._reconnects += self._has_opened and self._has_failed
                self._has_opened, self._has_failed = True, False
                self._reading = source
                self._take_note(source.remark)
                self._read(source, tuned)
                note = source.note
            finally:
                self._is_still = False
                self._keep_age()
        if self._stop.is_set():
            return True
        if self.settings.loop:
            # The last picture lasts as long as any other; a film of one picture must not spin.
            self._rest(1.0 / self.settings.fps)
            return not self._next_round()
        self.machine.happen(Happening.END, note or "played to its end")
        self._log.info("source.ended", note=note)
        return True

    def _read(self, source: FrameSource, tuned: _Tuning) -> None:
        """Read and offer until the end or until asked to stop."""
        pacer = Pacer() if source.is_paced else None
        selection = Selection(tuned.motion, tuned.blackout, self._timer)
        now_s = time.monotonic()
        self._settled_at_s = now_s + _SETTLED_S
        self._time.opened(now_s)
        while not self._stop.is_set():
            if self._wanted != tuned:
                tuned = self._wanted
                source.retune(width=tuned.width, fps=tuned.fps)
                selection = Selection(tuned.motion, tuned.blackout, self._timer)
            try:
                if not self._take(source, pacer, selection, tuned.blackout):
                    return
            except DecodeError as error:
                if not source.goes_on:
                    raise
                self._sender.drop(DropReason.DECODE_ERROR)
                self._log.warning("picture.unreadable", error=str(error))

    def _take(self, source: FrameSource, pacer: Pacer | None, selection: Selection, blackout: Blackout) -> bool:
        """Read a picture and offer it once its time has come; False at the end.

        Nothing of it outlives the call: while a camera waits for its next picture it keeps none, which would be 1 MB.
        """
        began_s = time.monotonic()
        grab = source.grab()
        if grab is None:
            return False
        self._timer.observe("read", time.monotonic() - began_s)
        if pacer is None or self._await(pacer, grab):
            looked = self._look_at(source, grab, selection, blackout)
            self._account(grab)
            if isinstance(looked, DropReason):
                self._sender.drop(looked)
            else:
                self._offer(looked, looked.captured_s if pacer is None else time.monotonic())
        return True

    def _look_at(
        self, source: FrameSource, grab: Grab, selection: Selection, blackout: Blackout
    ) -> MediaFrame | DropReason:
        """Convert a picture, or say why it is left out."""
        reason = selection.leaves_out(grab, self._fps_factor)
        self._is_still = selection.is_still
        source.rest(selection.may_rest)
        if reason is not None:
            return reason
        frame = grab.frame()
        self._timer.observe("scale", frame.convert_s)
        return blackout.frame(frame)

    def _await(self, pacer: Pacer, grab: Grab) -> bool:
        """Wait for a picture's time; False when asked to stop meanwhile."""
        delay_s = pacer.wait_s(grab.media_time_s, time.monotonic())
        return not (delay_s > 0 and self._rest(delay_s)) and not self._stop.is_set()

    def _rest(self, delay_s: float) -> bool:
        """Let time pass, which is no silence of the source; True when asked to stop."""
        self._is_waiting = True
        try:
            return self._stop.wait(delay_s)
        finally:
            self._is_waiting = False

    def _account(self, grab: Grab) -> None:
        """Count a picture that was due, and those that were left out on the way to it."""
        now_s = time.monotonic()
        self._time.picture(grab.media_time_s, now_s)
        self._last_due_s = now_s
        self._sender.drop(DropReason.STALE, grab.skipped)
        self._sender.drop(DropReason.STILL, grab.unseen)
        self._rate.add(now_s, 1 + grab.unseen)

    def _offer(self, frame: MediaFrame, captured_s: float) -> None:
        began_s = time.monotonic()
        jpeg = encode_jpeg(frame.frame_bgr)
        encoded_s = time.monotonic()
        self._size_wh = frame.size_wh
        status = self._sender.send(self._hold, jpeg, frame.size_wh, self._time.last_s, captured_s)
        self._timer.observe("encode", encoded_s - began_s)
        self._timer.observe("offer", time.monotonic() - encoded_s)
        if status is OfferStatus.STALE_EPOCH:
            self.lost_hold = True
        if encoded_s > self._settled_at_s:
            self._patience.reset()
        if self.machine.state is not CameraState.LIVE:
            self._came_back()

    def _take_note(self, remark: str) -> None:
        if remark and remark != self._note:
            self._log.warning("source.remark", remark=remark)
        self._note = remark

    def _came_back(self) -> None:
        before = self.machine.standing
        if self.machine.happen(Happening.PICTURE):
            event = "source.opened" if before.state is CameraState.CONNECTING else "source.reconnected"
            self._log.info(event, after_s=round(time.monotonic() - before.since_s, 1), size=list(self._size_wh))

    def _next_round(self) -> bool:
        """Begin a loop's next round, whose times begin anew; False when the hold is lost or the camera is to stop."""
        backoff = Backoff(0.5, 2.0)
        # The same name at each try: an answer that is lost on the way mustn't cost the hold.
        epoch = secrets.token_hex(8)
        while not self._stop.is_set():
            self.is_changing_epoch = True
            try:
                hold = self._epochs.new_epoch(self._hold, epoch)
            except QueueError:
                self._rest(backoff.next_s())
                continue
            if hold is None:
                self.lost_hold = True
                self.is_changing_epoch = False
                self._rest(1.0)
                continue
            self._hold = hold
            self.is_changing_epoch = False
            self._time.begin()
            return True
        return False

    def _keep_age(self) -> None:
        """Remember when data last came, beyond the source's closing."""
        reading, self._reading = self._reading, None
        if reading is not None and reading.packet_age_s is not None:
            self._packet_at_s = time.monotonic() - reading.packet_age_s

    def _tell(self, failure: Failure, error: Exception) -> None:
        if failure.what is Happening.CRASH:
            self.crashes += 1
            self._log.error("camera.crashed", exc_info=not isinstance(error, MaskwatchError), error=str(error))
        if self.machine.happen(failure.what, failure.reason):
            self._log.warning(
                "source.failed",
                state=self.machine.state.value,
                reason=failure.reason,
                retry_s=round(failure.delay_s, 1),
            )

    def _wait(self, failure: Failure) -> None:
        """Wait before the next attempt, but not after the host of a source that was lost answers again."""
        is_probed = failure.what is Happening.LOSS and not answers(self._source)
        ends_s = time.monotonic() + failure.delay_s
        while (left_s := ends_s - time.monotonic()) > 0:
            if self._stop.wait(min(left_s, _PROBE_EVERY_S)):
                return
            if is_probed and left_s > _PROBE_EVERY_S and answers(self._source):
                return

"""The book of cameras: which there are, who holds them, what they are doing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis
import structlog

from maskwatch.broker import keys, wire
from maskwatch.broker.connect import translated
from maskwatch.broker.messages import CameraInfo, CameraView, Hold
from maskwatch.broker.script import Argument, run_script
from maskwatch.errors import WireError
from maskwatch.types import CameraState, CameraStatus, Verdict

__all__ = ["CameraBook"]

_STATUS_TTL_S = 3.0
"""A camera is shown as stalled within 3 s of its last packet, so older words don't count."""

_UP: Mapping[CameraState, str] = {
    CameraState.LIVE: "1",
    CameraState.OFFLINE: "0",
    CameraState.AUTH_FAILED: "0",
    CameraState.UNSUPPORTED: "0",
}
"""States between which going offline and coming online is counted; the others are neither."""


class CameraBook:
    """Cameras, their holders and their states; every method is one round trip.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.
    """

    def __init__(self, client: redis.Redis, *, hold_ms: int = 5000) -> None:
        """Use a client.

        Args:
            client: as `connect` makes it.
            hold_ms: for how long a camera belongs to an ingest that doesn't renew its hold.
        """
        self._client = client
        self._hold_ms = hold_ms
        self._log = structlog.get_logger()

    def register(self, infos: Sequence[CameraInfo]) -> None:
        """Make cameras known; repeated every 2 s, since everything may have been flushed."""
        if infos:
            pairs: list[Argument] = [part for info in infos for part in (info.name, wire.pack_info(info))]
            self._run("register", [keys.CONFIGURED], pairs, "registering cameras")

    def configured(self) -> dict[str, CameraInfo]:
        """Return the cameras that are registered and not retired; those that can't be read are left out."""
        with translated(self._client, "reading the cameras"):
            answers = cast(dict[bytes, bytes], self._client.hgetall(keys.CONFIGURED))
        infos = {name.decode(): self._info(name.decode(), data) for name, data in sorted(answers.items())}
        return {name: info for name, info in infos.items() if info is not None}

    def heartbeat(self, ingest: str) -> list[str]:
        """Say that an ingest is alive, for as long as a hold lasts.

        Returns:
            The names of all that are alive, sorted.
        """
        answers = self._run("heartbeat", [keys.INGESTS], [self._hold_ms, ingest], "saying to be alive")
        return sorted(name.decode() for name in answers)

    def leave(self, ingest: str) -> None:
        """Say that an ingest ends."""
        with translated(self._client, "taking leave"):
            self._client.zrem(keys.INGESTS, ingest)

    def holders(self) -> dict[str, str]:
        """Return who holds which camera now: camera -> ingest."""
        answers = [part.decode() for part in self._run("holders", [keys.HOLDS], [], "reading the holders")]
        return dict(zip(answers[::2], answers[1::2], strict=True))

    def hold(self, camera: str, ingest: str) -> Hold | None:
        """Take a camera, under a new epoch; frames of the last one are dropped, its tracks are closed by a worker.

        Returns:
            The hold, or None when another ingest has it. An ingest that comes back under its name has it at once.
        """
        epoch = secrets.token_hex(8)
        args: list[Argument] = [camera, ingest, epoch, self._hold_ms]
        return Hold(camera, epoch) if self._run("hold", [keys.HOLDS], args, f"holding {camera}") else None

    def renew(self, holds: Sequence[Hold]) -> list[bool]:
        """Prolong holds.

        Returns:
            For each: False when it is lost (expired and taken or given up, or flushed).
        """
        if not holds:
            return []
        pairs = [part for hold in holds for part in (hold.camera, hold.epoch)]
        answers = self._run("renew_holds", [keys.HOLDS], [self._hold_ms, *pairs], "renewing holds")
        return [bool(answer) for answer in answers]

    def new_epoch(self, hold: Hold, epoch: str = "") -> Hold | None:
        """Begin another epoch under the same hold: a file's next round, a changed source.

        Args:
            hold: of the camera.
            epoch: its name, random; who gives the same again after an error has the hold even if only the answer was
                lost. Empty: a new one.

        Returns:
            The hold to use from now on, or None when it is lost.
        """
        epoch = epoch or secrets.token_hex(8)
        args: list[Argument] = [hold.camera, hold.epoch, epoch, self._hold_ms]
        answer = self._run("new_epoch", [keys.HOLDS], args, f"beginning an epoch of {hold.camera}")
        return Hold(hold.camera, epoch) if answer else None

    def release(self, hold: Hold) -> None:
        """Give a camera back, after its source is closed; its last frames are still analysed."""
        self._run("release", [keys.HOLDS], [hold.camera, hold.epoch], f"releasing {hold.camera}")

    def end(self, hold: Hold) -> None:
        """Have the camera's tracks closed once its waiting frame is analysed; a further frame calls that off."""
        self._run("finish", [keys.READY], [hold.camera, hold.epoch], f"ending the tracks of {hold.camera}")

    def publish(self, hold: Hold, status: CameraStatus) -> bool:
        """Say what a camera is doing; the word counts for 3 s.

        Returns:
            False when the hold is lost.
        """
        up = _UP.get(status.state, "")
        args: list[Argument] = [hold.camera, hold.epoch, wire.pack_status(status), up, status.reason]
        return bool(self._run("publish", [keys.HOLDS], args, f"publishing the state of {hold.camera}"))

    def retire(self, camera: str) -> None:
        """Take out a camera that left the configuration: its tracks are closed, then everything of it is deleted."""
        self._run("retire", [keys.CONFIGURED], [camera, secrets.token_hex(8)], f"retiring {camera}")

    def overview(self) -> list[CameraView]:
        """Return all registered cameras, sorted by name; those that can't be read are left out."""
        answers = self._run("overview", [keys.CONFIGURED], [], "reading the overview")
        views = (self._view(*answer) for answer in sorted(answers))
        return [view for view in views if view is not None]

    def _run(self, script: str, key_names: Sequence[str], args: Sequence[Argument], doing: str) -> Any:
        with translated(self._client, doing):
            return run_script(self._client, script, key_names, args)

    def _info(self, camera: str, data: bytes) -> CameraInfo | None:
        try:
            return wire.unpack_info(data, f"camera {camera}")
        except WireError as error:
            self._log.warning("camera.unreadable", camera=camera, error=str(error))
            return None

    def _status(self, camera: str, data: bytes) -> CameraStatus | None:
        try:
            return wire.unpack_status(data, f"camera {camera}") if data else None
        except WireError as error:
            self._log.warning("camera.status_unreadable", camera=camera, error=str(error))
            return None

    def _view(
        self,
        name: bytes,
        info_data: bytes,
        holder: bytes,
        status_data: bytes,
        status_ms: int | bytes,
        frame_ms: int | bytes,
        fps: bytes,
        failures: bytes,
        retry_ms: int | bytes,
        present: Sequence[bytes | None],
    ) -> CameraView | None:
        camera = name.decode()
        info = self._info(camera, info_data)
        if info is None:
            return None
        status = self._status(camera, status_data) if holder else None
        status_age_s = status_ms / 1000 if isinstance(status_ms, int) else 0.0
        packet_age_s = None
        if status is not None and status.packet_age_s is not None:
            packet_age_s = status.packet_age_s + status_age_s
        state, reason = _state(info, holder.decode(), status, status_age_s, packet_age_s)
        if failures and state in (CameraState.LIVE, CameraState.STALLED, CameraState.ENDED):
            state, reason = CameraState.FAILED, _failure(int(failures), retry_ms)
        return CameraView(
            info=info,
            state=state,
            reason=reason,
            status=status,
            packet_age_s=packet_age_s,
            frame_age_s=frame_ms / 1000 if isinstance(frame_ms, int) else None,
            analysed_fps=float(fps),
            people={verdict.value: int(number or 0) for verdict, number in zip(Verdict, present, strict=True)},
        )


def _state(
    info: CameraInfo, holder: str, status: CameraStatus | None, status_age_s: float, packet_age_s: float | None
) -> tuple[CameraState, str]:
    if not info.enabled:
        return CameraState.DISABLED, "disabled in the configuration"
    if not holder:
        where = f"waits for the ingest named {info.on}" if info.on else "no ingest holds it"
        return CameraState.OFFLINE, where
    if status is None:
        return CameraState.CONNECTING, f"{holder} has just taken it"
    if status_age_s >= _STATUS_TTL_S:
        return CameraState.STALLED, f"{holder} has said nothing for {status_age_s:.0f} s"
    if status.state is CameraState.LIVE and packet_age_s is not None and packet_age_s >= _STATUS_TTL_S:
        return CameraState.STALLED, f"last packet {packet_age_s:.0f} s ago"
    return status.state, status.reason


def _failure(failures: int, retry_ms: int | bytes) -> str:
    next_try = f"; tried again in {retry_ms / 1000:.0f} s" if isinstance(retry_ms, int) and retry_ms > 0 else ""
    return f"workers die over its frames ({failures + 2} so far){next_try}"

"""What a camera is doing, and what may follow on what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from maskwatch.settings import scrub
from maskwatch.types import CameraState

__all__ = ["TRANSITIONS", "CameraMachine", "Happening", "IllegalTransition", "Standing"]


class Happening(Enum):
    """What a reader or its supervisor notices."""

    PICTURE = auto()
    SILENCE = auto()
    LOSS = auto()
    REFUSAL = auto()
    UNDECODABLE = auto()
    CRASH = auto()
    END = auto()
    CHANGE = auto()


class IllegalTransition(RuntimeError):
    """Something happened to a camera that can't happen in its state; a mistake in the program."""


_FAILURES = {
    Happening.LOSS: CameraState.OFFLINE,
    Happening.REFUSAL: CameraState.AUTH_FAILED,
    Happening.UNDECODABLE: CameraState.UNSUPPORTED,
    Happening.CRASH: CameraState.FAILED,
}
_OPENING = {
    **_FAILURES,
    Happening.PICTURE: CameraState.LIVE,
    Happening.END: CameraState.ENDED,
    Happening.CHANGE: CameraState.CONNECTING,
}

TRANSITIONS: Mapping[CameraState, Mapping[Happening, CameraState]] = MappingProxyType(
    {
        CameraState.CONNECTING: _OPENING,
        CameraState.LIVE: {**_OPENING, Happening.SILENCE: CameraState.STALLED},
        CameraState.STALLED: _OPENING,
        # A camera that failed keeps its state while it is tried again: it would flicker otherwise.
        CameraState.OFFLINE: _OPENING,
        CameraState.AUTH_FAILED: _OPENING,
        CameraState.UNSUPPORTED: _OPENING,
        CameraState.FAILED: _OPENING,
        CameraState.ENDED: {Happening.CHANGE: CameraState.CONNECTING, Happening.CRASH: CameraState.FAILED},
        # Nobody reads a disabled camera, so nothing happens to it; a change of the configuration begins anew.
        CameraState.DISABLED: {},
    }
)
"""State -> what happens -> next state. What isn't here can't happen."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A state, why, and since when.

    Attributes:
        state: what the camera is doing.
        reason: why, for a person; without credentials.
        since_s: when the state began, by the machine's monotonic clock.
        since_utc: the same in seconds since 1970, for display.
        number: counts the changes of state or reason.
    """

    state: CameraState
    reason: str
    since_s: float
    since_utc: float
    number: int


class CameraMachine:
    """The state of one camera; its reader and its supervisor tell it what happens, each from its own thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, utc: Callable[[], float] = time.time) -> None:
        """Begin connecting."""
        self._clock = clock
        self._utc = utc
        self._lock = threading.Lock()
        self._standing = Standing(CameraState.CONNECTING, "opening the source", clock(), utc(), 0)

    @property
    def standing(self) -> Standing:
        """The state now."""
        return self._standing

    @property
    def state(self) -> CameraState:
        """The state now, without its reason."""
        return self._standing.state

    def happen(self, what: Happening, reason: str = "") -> bool:
        """Go on to the next state; the same state with another reason keeps its beginning.

        Returns:
            Whether the state is another one now.

        Raises:
            IllegalTransition: if this can't happen in this state.
        """
        with self._lock:
            before = self._standing
            after = TRANSITIONS[before.state].get(what)
            if after is None:
                raise IllegalTransition(f"{what.name} can't happen to a camera that is {before.state.value}")
            self._standing = self._moved(before, after, scrub(reason))
            return after is not before.state

    def silent(self, reason: str) -> bool:
        """Say that packets stopped; only a live camera stalls, any other one is left as it is."""
        with self._lock:
            if self._standing.state is not CameraState.LIVE:
                return False
            after = TRANSITIONS[CameraState.LIVE][Happening.SILENCE]
            self._standing = self._moved(self._standing, after, scrub(reason))
            return True

    def resumed(self) -> bool:
        """Say that packets come again; only a stalled camera is live again by that."""
        with self._lock:
            if self._standing.state is not CameraState.STALLED:
                return False
            self._standing = self._moved(self._standing, TRANSITIONS[CameraState.STALLED][Happening.PICTURE], "")
            return True

    def _moved(self, before: Standing, after: CameraState, reason: str) -> Standing:
        if after is before.state:
            if reason == before.reason:
                return before
            return Standing(after, reason, before.since_s, before.since_utc, before.number + 1)
        return Standing(after, reason, self._clock(), self._utc(), before.number + 1)

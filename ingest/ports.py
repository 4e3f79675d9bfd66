"""What a camera needs from the rest of its process."""

from __future__ import annotations

from typing import Protocol

from maskwatch.broker.messages import Hold, Offer, OfferStatus
from maskwatch.media.frame import FrameSource
from maskwatch.settings import Source

__all__ = ["Epochs", "Offers", "Opener", "Timer"]


class Opener(Protocol):
    """Opens a source; `maskwatch.media.open_source` in production."""

    def __call__(
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
        """Open a source or raise a `SourceError`."""
        ...


class Epochs(Protocol):
    """What a camera asks of the book of cameras."""

    def new_epoch(self, hold: Hold, epoch: str) -> Hold | None:
        """Begin another epoch of that name under the same hold; None when it is lost."""
        ...


class Offers(Protocol):
    """Where frames go; an `Outbox` in production."""

    def offer(self, offer: Offer) -> OfferStatus:
        """Make a frame its camera's next one or raise a `QueueError`."""
        ...


class Timer(Protocol):
    """Where durations of stages go."""

    def observe(self, stage: str, seconds: float) -> None:
        """Record one call of a stage."""
        ...

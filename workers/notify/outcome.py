"""What came of an attempt to tell somebody."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from workers.notify.message import Message

__all__ = ["Outcome", "Result", "Way", "failed"]


class Result(StrEnum):
    """How an attempt went."""

    SENT = "sent"
    FAILED = "failed"
    """Trying again may help."""
    REFUSED = "refused"
    """The receiver is there and doesn't take this message; trying again won't help."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went, and why.

    Attributes:
        result: how it went.
        text: what the receiver said, or what went wrong; `workers.notify.sending` takes credentials out of it.
    """

    result: Result
    text: str


class Way(Protocol):
    """A way of telling: an open connection to one receiver, or what stands for it."""

    def send(self, message: Message) -> Outcome:
        """Send one message; errors are outcomes."""

    def close(self) -> None:
        """Let go of what is open."""


def failed(what: str, error: BaseException | None = None) -> Outcome:
    """Return the outcome of an attempt that may be repeated.

    Args:
        what: went wrong.
        error: that said so; its text becomes one line.
    """
    said = "" if error is None else " ".join(str(error).split()) or type(error).__name__
    return Outcome(Result.FAILED, f"{what}: {said}" if said else what)

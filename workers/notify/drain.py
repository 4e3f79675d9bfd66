"""One round with one receiver: what is due is told, oldest first, for a bounded time."""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol

import structlog

from maskwatch.events import Event
from maskwatch.store import Delivery, DeliveryState, Outbox
from maskwatch.store.outbox import TOO_OLD_S
from workers.notify.message import Message
from workers.notify.outcome import Outcome, Result

__all__ = ["CLAIM_S", "Drained", "Sender", "drain", "pause_s"]

BUDGET_S = 20.0
"""No further message is begun after this."""
CLAIM_S = 40.0
"""More than one message can take, with its process' start and a busy database; renewed for each. Whoever dies holds up
a receiver for so long."""
_MOST_FAILURES = 2
"""In a row, of different messages: then it is the receiver's fault and not a message's."""
_FIRST_PAUSE_S = 15.0
_MOST_PAUSE_S = 900.0
_JITTER = 0.25
_NOBODY_TRIED = "nobody delivered it for 24 hours; does `maskwatch jobs` run?"


class Sender(Protocol):
    """Sends messages to one receiver."""

    def send(self, message: Message) -> Outcome:
        """Send one message within a bounded time; errors are outcomes."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one round has done.

    Attributes:
        sent: messages that the receiver took.
        failed: attempts that are to be repeated.
        quiet: events that weren't told because of the cool-down.
        given_up: events that nobody will be told of any more.
        reason: of the last failure, or empty.
    """

    sent: int = 0
    failed: int = 0
    quiet: int = 0
    given_up: int = 0
    reason: str = ""

    @property
    def text(self) -> str:
        """One line for people."""
        numbers = ((self.sent, "sent"), (self.quiet, "within the cool-down"), (self.failed, "failed"))
        parts = [f"{number} {word}" for number, word in (*numbers, (self.given_up, "given up")) if number]
        return (", ".join(parts) or "nothing was due") + (f" ({self.reason})" if self.reason else "")


def pause_s(failures: int, chance: Callable[[], float] = random.random) -> float:
    """Return for how long to leave a receiver alone after so many failures in a row, in seconds.

    Args:
        failures: at least 1.
        chance: gives numbers of 0..1 for the jitter.
    """
    pause = min(_MOST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))
    return pause * (1 - _JITTER * chance())


def drain(
    outbox: Outbox,
    receiver: str,
    cooldown_s: float,
    compose: Callable[[Event], Message],
    open_sender: Callable[[], AbstractContextManager[Sender]],
    *,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.monotonic,
) -> Drained:
    """Tell a receiver what is due, unless somebody else does so just now or it is left alone for a while.

    Args:
        outbox: of the record.
        receiver: its name.
        cooldown_s: seconds in which one rule of one camera is told of once.
        compose: makes the message of an event.
        open_sender: called when there is something to send.
        budget_s: after how many seconds to leave the rest for the next round.
        clock: monotonic seconds.

    Raises:
        StoreError: if the record can't be asked; what was sent and couldn't be written down is sent again.
    """
    token = secrets.token_hex(16)
    if not outbox.claim(receiver, token, CLAIM_S):
        return Drained()
    round_ = _Round(outbox, receiver, token, cooldown_s, compose)
    try:
        round_.give_up()
        with ExitStack() as stack:
            round_.run(lambda: stack.enter_context(open_sender()), clock() + budget_s, clock)
    finally:
        failures = outbox.failures(receiver)
        outbox.release(receiver, token, round_.reason, pause_s(failures + 1))
    return round_.drained()


class _Round:
    """What is known while one receiver is told."""

    def __init__(
        self, outbox: Outbox, receiver: str, token: str, cooldown_s: float, compose: Callable[[Event], Message]
    ) -> None:
        self._outbox = outbox
        self._receiver = receiver
        self._token = token
        self._cooldown_s = cooldown_s
        self._compose = compose
        self._counts: Counter[str] = Counter()
        self._last_reason = ""
        self._in_a_row = 0
        self._log = structlog.get_logger().bind(receiver=receiver)

    @property
    def reason(self) -> str | None:
        """Why the receiver is to be left alone, or None when it isn't."""
        return self._last_reason if self._in_a_row else None

    def drained(self) -> Drained:
        """Return what was done."""
        counts = {outcome: self._counts[outcome] for outcome in ("sent", "failed", "quiet", "given_up")}
        return Drained(**counts, reason=self._last_reason)

    def give_up(self) -> None:
        """Give up what is too old."""
        count = self._outbox.give_up(self._receiver, TOO_OLD_S, _NOBODY_TRIED)
        if count:
            self._counts["given_up"] += count
            self._log.warning("notify.given_up", deliveries=count)

    def run(self, open_sender: Callable[[], Sender], ends_at_s: float, clock: Callable[[], float]) -> None:
        """Go on until nothing is due, time is up, or the receiver seems to be away."""
        sender: Sender | None = None
        while clock() < ends_at_s and self._in_a_row < _MOST_FAILURES and self._is_still_ours():
            # After a failure one that was tried less often: it shows whether the message or the receiver is to blame.
            delivery = self._outbox.next(self._receiver, freshest=self._in_a_row > 0)
            if delivery is None:
                return
            if self._outbox.was_told(delivery, self._cooldown_s):
                self._settle(delivery, DeliveryState.QUIET, "")
                continue
            sender = sender or open_sender()
            self._tell(delivery, sender)

    def _is_still_ours(self) -> bool:
        return self._outbox.renew(self._receiver, self._token, CLAIM_S)

    def _tell(self, delivery: Delivery, sender: Sender) -> None:
        outcome = sender.send(self._compose(delivery.event))
        if outcome.result is Result.FAILED:
            self._in_a_row += 1
            self._last_reason = outcome.text
            self._settle(delivery, DeliveryState.WAITING, outcome.text, pause_s(delivery.attempts + 1))
            self._log.warning("notify.failed", event_id=str(delivery.event.id), reason=outcome.text)
            return
        self._in_a_row = 0  # whoever refuses one message is there
        if outcome.result is Result.REFUSED:
            self._last_reason = outcome.text
            self._settle(delivery, DeliveryState.GIVEN_UP, outcome.text)
            self._log.warning("notify.refused", event_id=str(delivery.event.id), reason=outcome.text)
            return
        self._settle(delivery, DeliveryState.SENT, "")

    def _settle(self, delivery: Delivery, state: DeliveryState, reason: str, again_s: float = 0.0) -> None:
        self._outbox.settle(delivery, state, reason, again_s)
        self._counts["failed" if state is DeliveryState.WAITING else state.value] += 1

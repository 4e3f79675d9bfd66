"""How receivers fare, for people who ask: from the record, or by a message that is sent now."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskwatch.settings import Settings
from maskwatch.settings.notify import ReceiverSettings
from maskwatch.store import DeliveryState, Outbox, ReceiverView, Store
from workers.notify.message import trial_message
from workers.notify.outcome import Result
from workers.notify.sending import Sending

__all__ = ["Faring", "fare", "try_out"]

_MOST_GIVEN_UP = 3
_NOTHING = ReceiverView("", 0, None, 0, None, "", None, {"sent": 0, "failed": 0, "quiet": 0, "given_up": 0})


@dataclass(frozen=True, slots=True)
class Faring:
    """How one receiver fares.

    Attributes:
        text: for people; a line, or several.
        values: for programs.
        is_well: whether nothing is wrong.
    """

    text: str
    values: Mapping[str, Any]
    is_well: bool


def try_out(receivers: Mapping[str, ReceiverSettings]) -> Iterator[Faring]:
    """Send each receiver a message that says it is a test.

    Yields:
        What came of it, one after the other; each takes 25 s at most.
    """
    for name, receiver in receivers.items():
        began_s = time.monotonic()
        with Sending(receiver) as sending:
            outcome = sending.send(trial_message(name, datetime.now(UTC)))
        took_s = round(time.monotonic() - began_s, 2)
        is_sent = outcome.result is Result.SENT
        yield Faring(
            f"{'sent  ' if is_sent else 'FAILED'} {name}, {receiver.shown}: {outcome.text} ({took_s:.1f} s)",
            {"name": name, "to": receiver.shown, "sent": is_sent, "text": outcome.text, "seconds": took_s},
            is_sent,
        )


def fare(settings: Settings, receivers: Mapping[str, ReceiverSettings]) -> Iterator[Faring]:
    """Look into the record.

    Yields:
        How each receiver fares.

    Raises:
        StoreError: if the record can't be asked.
    """
    path = Path(settings.record_url.removeprefix("sqlite:///"))
    if settings.record_url.startswith("sqlite:///") and not os.path.exists(path):
        for name, receiver in receivers.items():
            yield _faring(name, receiver, _NOTHING, [])
        return
    with Store(settings.record_url) as store:
        outbox = store.outbox
        views = {view.name: view for view in outbox.receivers()}
        for name, receiver in receivers.items():
            yield _faring(name, receiver, views.get(name, _NOTHING), _given_up(outbox, name))


def _given_up(outbox: Outbox, name: str) -> list[str]:
    found = outbox.reasons(name, (DeliveryState.GIVEN_UP,), _MOST_GIVEN_UP)
    return [f"{event.time_utc:%Y-%m-%d %H:%M} UTC, {event.camera}, {event.kind.value}: {why}" for event, why in found]


def _faring(name: str, receiver: ReceiverSettings, view: ReceiverView, given_up: list[str]) -> Faring:
    counts = view.counts
    lines = [
        f"{name}, {receiver.shown}: {counts['sent']} sent, {counts['quiet']} within the cool-down, "
        f"{counts['given_up']} given up, {view.waiting} waiting"
    ]
    if view.oldest_utc is not None:
        lines.append(f"  the oldest waits since {view.oldest_utc:%Y-%m-%d %H:%M:%S} UTC")
    if view.failures:
        again = f"; not tried before {view.next_utc:%H:%M:%S} UTC" if view.next_utc else ""
        lines.append(f"  {view.failures} failures in a row, the last: {view.reason}{again}")
    lines += [f"  given up: {line}" for line in given_up]
    values = {
        "name": name, "to": receiver.shown, "waiting": view.waiting, **counts, "failures_in_a_row": view.failures,
        "reason": view.reason, "oldest_utc": _iso(view.oldest_utc), "next_utc": _iso(view.next_utc),
        "sent_utc": _iso(view.sent_utc),
    }  # fmt: skip
    return Faring("\n".join(lines), values, view.failures == 0)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()

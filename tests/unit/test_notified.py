"""How notifications fare, as Prometheus sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from maskwatch.errors import StoreDown
from maskwatch.store import ReceiverView
from web.notified import NotificationCollector

COUNTS = {"sent": 3, "quiet": 1, "given_up": 0, "failed": 7}


class FakeOutbox:
    """Answers, or doesn't."""

    def __init__(self) -> None:
        self.is_away = False
        self.asked = 0

    def receivers(self) -> list[ReceiverView]:
        self.asked += 1
        if self.is_away:
            raise StoreDown("away")
        since = datetime.now(UTC) - timedelta(seconds=100)
        return [
            ReceiverView("ward", 2, since, 1, None, "away", None, COUNTS),
            ReceiverView("forgotten", 5, since, 1, None, "away", None, COUNTS),
        ]


def test_every_receiver_has_every_outcome_from_the_start() -> None:
    registry = CollectorRegistry()
    registry.register(NotificationCollector(FakeOutbox(), ("ward", "hook")))  # type: ignore[arg-type]

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    for outcome, count in COUNTS.items():
        assert value("maskwatch_notifications_total", receiver="ward", outcome=outcome) == count
        assert value("maskwatch_notifications_total", receiver="hook", outcome=outcome) == 0
        assert value("maskwatch_notifications_total", receiver="forgotten", outcome=outcome) is None
    assert value("maskwatch_notifications_waiting", receiver="ward") == 2
    assert value("maskwatch_notifications_waiting", receiver="hook") == 0
    assert 99 < (value("maskwatch_notifications_oldest_seconds", receiver="ward") or 0) < 160
    assert value("maskwatch_notifications_oldest_seconds", receiver="hook") == 0


def test_record_that_is_away_is_not_asked_at_every_scrape() -> None:
    now = [0.0]
    outbox = FakeOutbox()
    collector = NotificationCollector(outbox, ("ward",), lambda: now[0])  # type: ignore[arg-type]
    outbox.is_away = True
    assert list(collector.collect()) == []
    outbox.is_away = False
    assert list(collector.collect()) == []
    assert outbox.asked == 1
    now[0] = 31.0
    assert len(list(collector.collect())) == 3


def test_nothing_is_asked_when_it_is_registered_or_nobody_is_configured() -> None:
    outbox = FakeOutbox()
    registry = CollectorRegistry()
    registry.register(NotificationCollector(outbox, ()))  # type: ignore[arg-type]
    assert list(registry.collect()) == []
    assert outbox.asked == 0

"""How notifications fare, in Prometheus' form: from the record, where every process that tells somebody counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from maskwatch.errors import StoreError
from maskwatch.store import Outbox

__all__ = ["NotificationCollector"]

_OUTCOMES = ("sent", "quiet", "given_up", "failed")
_PAUSE_S = 30.0
"""A database that is away may take seconds to say so; the other metrics shouldn't wait for it at every scrape."""


class NotificationCollector(Collector):
    """Asks the record once per scrape; while that is away these metrics are missing.

    Args:
        outbox: of the record.
        receivers: names of the configured ones; others aren't shown.
        clock: monotonic seconds.
    """

    def __init__(self, outbox: Outbox, receivers: Collection[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._outbox = outbox
        self._receivers = tuple(receivers)
        self._clock = clock
        self._not_before_s = float("-inf")

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering this doesn't ask the record."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        if not self._receivers or self._clock() < self._not_before_s:
            return
        try:
            views = {view.name: view for view in self._outbox.receivers()}
        except StoreError:
            self._not_before_s = self._clock() + _PAUSE_S
            return
        told = CounterMetricFamily(
            "maskwatch_notifications",
            "Events that a receiver was told of (sent), wasn't because of its cool-down (quiet), won't be (given_up); "
            "attempts that are repeated (failed)",
            labels=["receiver", "outcome"],
        )
        waiting = GaugeMetricFamily(
            "maskwatch_notifications_waiting", "Events that a receiver is to be told of yet", labels=["receiver"]
        )
        oldest = GaugeMetricFamily(
            "maskwatch_notifications_oldest_seconds", "For how long the oldest of them has waited", labels=["receiver"]
        )
        now = datetime.now(UTC)
        for name in self._receivers:
            view = views.get(name)
            for outcome in _OUTCOMES:
                told.add_metric([name, outcome], 0 if view is None else view.counts[outcome])
            waiting.add_metric([name], 0 if view is None else view.waiting)
            since = None if view is None else view.oldest_utc
            oldest.add_metric([name], 0 if since is None else max(0.0, (now - since).total_seconds()))
        yield from (told, waiting, oldest)

"""The live worker: takes cameras' turns from the queue, runs the pipeline over them, and hands the results back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import structlog

from maskwatch.backoff import Backoff
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import Done, DoneStatus, Taken
from maskwatch.errors import BrokerDown, QueueError
from maskwatch.metrics import ProcessMetrics
from maskwatch.service import Stop
from maskwatch.shedding import Shedding
from maskwatch.types import FrameStatus
from models.classifier import MaskClassifier
from workers.batching import BatchPlan, LoadMeter
from workers.items import PipelineOutput, item_of
from workers.keeping import Keeper, event_kinds, left_zones
from workers.models import WorkerModels
from workers.pipeline import Pipeline, PipelineOptions
from workers.relook import RelookOptions
from workers.swap import ModelSwap

__all__ = ["LiveWorker"]

_RENEW_AFTER_S = 1.0
"""Leases last 5 s: a stage may take 4."""

_TAKE_WAIT_S = 1.0
_FINISH_WITHIN_S = 6.0
"""How long a finished batch is offered to a Redis that doesn't answer; by then its leases have run out."""

_Turn = tuple[Taken, PipelineOutput]


def _backoff() -> Backoff:
    """Return the waits for a Redis that doesn't answer."""
    return Backoff(0.1, 5.0)


class LiveWorker:
    """Takes, analyses and finishes batches until it is asked to stop.

    Args:
        queue: where turns come from.
        models: loaded and warm.
        metrics: of this process.
        stop: the request to end.
        plan: how many turns are taken at once.
        options: how faces become people.
        beat: called between batches; says that this process is alive.
        meter: is told when there is nothing to do.
        steer: called between batches; says what gives way.
        swap: has models ready that were activated meanwhile; None keeps the first ones.
        keeper: takes events and people who have gone; None: nobody keeps any.
    """

    def __init__(
        self,
        queue: FrameQueue,
        models: WorkerModels,
        metrics: ProcessMetrics,
        stop: Stop,
        *,
        plan: BatchPlan,
        options: PipelineOptions | None = None,
        beat: Callable[[], None] = lambda: None,
        meter: LoadMeter | None = None,
        steer: Callable[[], Shedding] = Shedding,
        swap: ModelSwap | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self._queue = queue
        self._keeper = keeper
        self._models = models
        self._swap = swap
        self._metrics = metrics
        self._stop = stop
        self._beat = beat
        self._plan = plan
        self._meter = meter or LoadMeter()
        self._steer = steer
        self._shedding = Shedding()
        self._relook = options.relook if options else None
        self._backoff = _backoff()
        self._log = structlog.get_logger()
        self._held: list[Taken] = []
        self._renewed_s = 0.0
        self._has_lost = False
        self._notes: set[str] = set()
        self._refused: list[_Turn] = []
        self._patience = _backoff()
        self._catch_up_at_s = 0.0
        self._pipeline = Pipeline(models.detector, models.classifier, options, self._in_stage)

    def run(self) -> None:
        """Work until the end is requested; a batch that was taken is finished first."""
        while not self._stop.requested:
            try:
                self._change_models()
                self._beat()
                self._catch_up()
                self._give_way(self._steer())
                self._work(self._take())
                self._backoff.reset()
            except QueueError as error:
                wait_s = self._backoff.next_s()
                event = "broker.down" if isinstance(error, BrokerDown) else "broker.refused"
                self._log.warning(event, error=str(error), again_in_s=round(wait_s, 2))
                with self._meter.idle():
                    self._stop.wait(wait_s)
        with suppress(QueueError):
            self._catch_up(at_once=True)

    def _take(self) -> list[Taken]:
        with self._metrics.stage("take"):
            taken = self._queue.take(self._plan.size, _TAKE_WAIT_S, gather_s=self._plan.gather_s, idle=self._meter.idle)
        self._plan.took(len(taken), time.monotonic())
        return taken

    def _give_way(self, shedding: Shedding) -> None:
        """Do from now on what a level asks of workers; the rest of it is ingest's business."""
        if shedding.is_rare != self._shedding.is_rare:
            self._pipeline.use_relook(RelookOptions.rarer(self._relook) if shedding.is_rare else self._relook)
        self._shedding = shedding

    def _change_models(self) -> None:
        """Go on with a model that was activated and is ready; there is no batch at hand."""
        model = self._swap.step() if self._swap else None
        if model is None:
            return
        before = self._models.spoken()
        if isinstance(model, MaskClassifier):
            self._pipeline.use_classifier(model)
        else:
            self._pipeline.use_detector(model.name, model)
        self._models.adopt(model)
        after = self._models.spoken()
        self._log.info(
            "model.changed",
            before=[label for kind, label in before if (kind, label) not in after],
            after=[label for kind, label in after if (kind, label) not in before],
        )

    def _work(self, taken: Sequence[Taken]) -> None:
        """Analyse and finish turns; one that workers died over has a batch of its own."""
        crowd = [one for one in taken if not one.alone]
        for group in ([crowd] if crowd else []) + [[one] for one in taken if one.alone]:
            self._work_together(group)

    def _work_together(self, taken: list[Taken]) -> None:
        self._metrics.batch_size.observe(len(taken))
        began_s = time.monotonic()
        self._held, self._renewed_s, self._has_lost = taken, began_s, False
        time_utc = datetime.now(UTC) if self._keeper else None
        try:
            outputs = self._pipeline.process([item_of(one, time_utc, self._shedding) for one in taken])
        finally:
            self._held = []
        try:
            self._keep(taken, outputs)
        except QueueError as error:
            self._hold_back(taken, outputs, error)
        else:
            self._commit(taken, outputs)
            self._plan.worked(len(taken), time.monotonic() - began_s)

    def _keep(self, taken: Sequence[Taken], outputs: Sequence[PipelineOutput]) -> None:
        """Hand over what is to be kept; only then may the turns be finished.

        Raises:
            QueueError: if the durable Redis can't be reached or has no room.
        """
        if self._keeper and any(output.records or output.wishes for output in outputs):
            with self._metrics.stage("record"):
                self._keeper.keep(taken, outputs)

    def _hold_back(self, taken: Sequence[Taken], outputs: Sequence[PipelineOutput], error: QueueError) -> None:
        """Finish the turns that bring no records, and hold the others until somebody takes theirs."""
        turns = list(zip(taken, outputs, strict=True))
        refused = [turn for turn in turns if turn[1].records]
        if not self._refused:
            self._log.error("records.refused", error=str(error), cameras=[one.camera for one, _ in refused])
        self._refused += refused
        self._commit(*_parted([turn for turn in turns if not turn[1].records]))

    def _catch_up(self, *, at_once: bool = False) -> None:
        """Hand over again the records that were refused, and finish their turns then; their cameras wait for it."""
        if not self._refused or (time.monotonic() < self._catch_up_at_s and not at_once):
            return
        # What is lost is in other hands by now: they say the same again.
        is_held = self._queue.renew([one for one, _ in self._refused])
        self._refused = [turn for turn, held in zip(self._refused, is_held, strict=True) if held]
        taken, outputs = _parted(self._refused)
        try:
            # That is no work: fewer frames of the cameras wouldn't bring the recorders back.
            with self._meter.idle():
                self._keep(taken, outputs)
        except QueueError as error:
            self._log.debug("records.still_refused", error=str(error))
            self._catch_up_at_s = time.monotonic() + min(_RENEW_AFTER_S, self._patience.next_s())
            return
        self._patience.reset()
        self._refused, self._has_lost = [], False
        if taken:
            self._log.info("records.accepted", cameras=[one.camera for one in taken])
        self._commit(taken, outputs)

    def _commit(self, taken: Sequence[Taken], outputs: Sequence[PipelineOutput]) -> None:
        """Hand results back, and learn from leases that were lost meanwhile."""
        if not taken:
            return
        items = [
            Done(
                one.camera, one.epoch, one.token, output.result, output.state,
                event_kinds(output.records), left_zones(output.records), output.flips,
            )
            for one, output in zip(taken, outputs, strict=True)
        ]  # fmt: skip
        self._tell_notes(items)
        with self._metrics.stage("done"):
            answers = self._finish(items)
        if self._has_lost or DoneStatus.LEASE_LOST in answers:
            size = self._plan.lost()
            lost = [item.camera for item, answer in zip(items, answers, strict=True) if answer is DoneStatus.LEASE_LOST]
            self._log.warning("lease.lost", cameras=lost, batch=size)
        else:
            self._plan.went_well()

    def _finish(self, items: Sequence[Done]) -> list[DoneStatus]:
        """Hand results back; sending them again is harmless, so a Redis that is away for a moment costs nothing.

        Raises:
            QueueError: if Redis refuses them, or doesn't answer while the leases may last.
        """
        ends_s = time.monotonic() + _FINISH_WITHIN_S
        backoff = _backoff()
        while True:
            try:
                return self._queue.done(items)
            except BrokerDown:
                wait_s = backoff.next_s()
                if time.monotonic() + wait_s > ends_s:
                    raise
                # Not cut short by a request to end: there are 10 s for that, and this is the work to be drained.
                time.sleep(wait_s)

    @contextmanager
    def _in_stage(self, name: str) -> Iterator[None]:
        """Time a stage; before it, prolong the leases when they are a second old."""
        if self._held and time.monotonic() - self._renewed_s > _RENEW_AFTER_S:
            # An unreachable Redis is noticed when the batch is handed back.
            with suppress(BrokerDown):
                still_held = self._queue.renew([*self._held, *(one for one, _ in self._refused)])
                self._has_lost |= not all(still_held[: len(self._held)])
            self._renewed_s = time.monotonic()
        with self._metrics.stage(name):
            yield

    def _tell_notes(self, items: Sequence[Done]) -> None:
        """Log why frames of a camera weren't analysed, once until it changes."""
        for item in items:
            about = f"{item.camera}: {item.result.note}"
            if item.result.status is not FrameStatus.OK and about not in self._notes:
                if len(self._notes) > 1000:
                    self._notes.clear()
                self._notes.add(about)
                self._log.warning("frame.not_analysed", camera=item.camera, reason=item.result.note)


def _parted(turns: Sequence[_Turn]) -> tuple[list[Taken], list[PipelineOutput]]:
    return [taken for taken, _ in turns], [output for _, output in turns]

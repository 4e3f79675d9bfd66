"""Which level of shedding it should be: a controller with hysteresis. Pure; the clock is handed in.

It raises the level when the workers are busy all the time and frames are lost all the same, by as many steps as the
loss says; it lowers it, in the reverse order, when there would be room one level below, and has been for a while. Then
it waits until what it did shows. A level that had to be taken back at once is tried less and less often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from maskwatch.broker.shedding import Pressure
from maskwatch.shedding import LEAST_FPS_LEVEL, Shedding

__all__ = ["Controller", "ControllerOptions"]

_STEP = Shedding(1).fps_factor

_LONGEST_GAP_S = 5.0
"""Between two steps; after a longer one somebody else has decided meanwhile."""

_FEWEST_FRAMES = 5
"""From which on it is learned what a frame costs."""

_LEARNED = 0.3
"""Weight of the last second in what a frame costs."""


@dataclass(frozen=True, slots=True)
class ControllerOptions:
    """When the level changes.

    Attributes:
        busy: share of the workers' time beyond which they can't do more.
        lost: share of the frames that may be lost while they are.
        wait_s: mean time that frames wait beyond which it is too much, lost or not.
        room: share of the workers' time that they may be busy after the level was lowered.
        strained_s: for how long there must be too much before the level is raised.
        settle_s: after a change: until it shows, nothing is concluded.
        patience_s: for how long there must be room before the level is lowered.
        most_patience_s: the same after several levels that had to be taken back.
        relapse_s: a level that is raised so soon after it was lowered counts as taken back.
        most_steps: of one change.
    """

    busy: float = 0.9
    lost: float = 0.03
    wait_s: float = 0.15
    room: float = 0.8
    strained_s: float = 1.5
    settle_s: float = 2.5
    patience_s: float = 5.0
    most_patience_s: float = 60.0
    relapse_s: float = 12.0
    most_steps: int = LEAST_FPS_LEVEL


@dataclass(frozen=True, slots=True)
class _Second:
    """What happened between two steps."""

    passed_s: float
    busy: float
    cost_s: float | None
    """Of a worker's time, per analysed frame; None when there were too few."""
    demand: float
    """Frames that came over frames that were analysed; 1 when all were."""
    wait_s: float


class Controller:
    """Decides the level from step to step; a step a second is right.

    Whoever takes over from another one begins with what it finds: the level stays, its own observations start anew.

    Args:
        options: when the level changes.
    """

    def __init__(self, options: ControllerOptions | None = None) -> None:
        self._options = options or ControllerOptions()
        self._patience_s = self._options.patience_s
        self._level: int | None = None
        self._before: tuple[float, Pressure] | None = None
        self._quiet_until_s = 0.0
        self._strained: list[_Second] = []
        self._roomy: list[_Second] = []
        self._lowered_s: float | None = None
        self._costs: dict[tuple[bool, bool], float] = {}

    def step(self, now_s: float, level: int, pressure: Pressure) -> int:
        """Return the level that it should be.

        Args:
            now_s: monotonic seconds.
            level: as it is; another one than this controller said last makes it begin anew.
            pressure: as it is now.
        """
        second = self._look(now_s, pressure)
        if level != self._level:
            self._settle(now_s, level)
            return level
        if second is None or now_s < self._quiet_until_s:
            return level
        self._learn(level, second)
        self._remember(level, second)
        if self._is_long(self._strained, self._options.strained_s):
            return self._raise(now_s, level)
        if self._is_long(self._roomy, self._patience_s):
            return self._lower(now_s, level)
        return level

    def _look(self, now_s: float, pressure: Pressure) -> _Second | None:
        """Return what happened since the last step; None the first time, after a gap, and after a flush."""
        before, self._before = self._before, (now_s, pressure)
        if before is None:
            return None
        passed_s, old = now_s - before[0], before[1]
        analysed, lost = pressure.analysed - old.analysed, pressure.lost - old.lost
        taken, waited_s = pressure.taken - old.taken, pressure.waited_s - old.waited_s
        if not 0 < passed_s <= _LONGEST_GAP_S or min(analysed, lost, taken) < 0:
            self._level = None
            return None
        has_enough = analysed >= _FEWEST_FRAMES
        return _Second(
            passed_s=passed_s,
            busy=pressure.busy,
            cost_s=pressure.busy * pressure.workers * passed_s / analysed if has_enough else None,
            demand=1.0 + lost / max(1, analysed),
            wait_s=waited_s / taken if taken else 0.0,
        )

    def _learn(self, level: int, second: _Second) -> None:
        """Remember what a frame costs at levels that differ in more than the cameras' rates."""
        kind = _kind(level)
        if second.cost_s is not None:
            known = self._costs.get(kind, second.cost_s)
            self._costs[kind] = known + _LEARNED * (second.cost_s - known)

    def _remember(self, level: int, second: _Second) -> None:
        options = self._options
        is_too_much = second.demand >= 1.0 + options.lost or second.wait_s >= options.wait_s
        is_strained = level < Shedding.MOST and second.busy >= options.busy and is_too_much
        has_room = (
            level > 0 and second.busy * self._growth(level) <= options.room and second.demand < 1.0 + options.lost
        )
        self._strained = [*self._strained, second] if is_strained else []
        self._roomy = [*self._roomy, second] if has_room else []

    def _growth(self, level: int) -> float:
        """Return by what factor the workers would have more to do one level below.

        What isn't known yet is tried: if it was too much, it is known afterwards.
        """
        if level <= LEAST_FPS_LEVEL:
            return 1.0 / _STEP
        here, below = self._costs.get(_kind(level)), self._costs.get(_kind(level - 1))
        return below / here if here and below else 1.0

    def _raise(self, now_s: float, level: int) -> int:
        if self._lowered_s is not None and now_s - self._lowered_s <= self._options.relapse_s:
            self._patience_s = min(2 * self._patience_s, self._options.most_patience_s)
        else:
            self._patience_s = self._options.patience_s
        self._lowered_s = None
        demand = sum(one.demand for one in self._strained) / len(self._strained)
        steps = self._steps(demand)
        # Beyond the cameras' rates nobody knows beforehand what a level saves.
        after = level + 1 if level >= LEAST_FPS_LEVEL else min(level + steps, LEAST_FPS_LEVEL)
        self._settle(now_s, after)
        return after

    def _lower(self, now_s: float, level: int) -> int:
        if self._lowered_s is not None and now_s - self._lowered_s > self._options.relapse_s:
            self._patience_s = max(self._patience_s / 2, self._options.patience_s)
        busy = max(one.busy for one in self._roomy)
        steps = self._steps(self._options.room / max(busy, 1e-3))
        after = level - 1 if level > LEAST_FPS_LEVEL else max(level - steps, 0)
        self._lowered_s = now_s
        self._settle(now_s, after)
        return after

    def _steps(self, factor: float) -> int:
        """Return how many levels make up for a factor without going beyond it, one at least."""
        wanted = math.floor(math.log(max(factor, 1.0)) / -math.log(_STEP) + 1e-9)
        return min(max(1, wanted), self._options.most_steps)

    def _settle(self, now_s: float, level: int) -> None:
        self._level = level
        self._strained, self._roomy = [], []
        self._quiet_until_s = now_s + self._options.settle_s

    @staticmethod
    def _is_long(seconds: list[_Second], least_s: float) -> bool:
        return sum(one.passed_s for one in seconds) >= least_s


def _kind(level: int) -> tuple[bool, bool]:
    shedding = Shedding(level)
    return shedding.is_fast, shedding.is_rare

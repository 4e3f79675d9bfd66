"""Learning steps of the detector: the weights, their running average, the optimiser, and where a run stands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.detectors.yunet import build_yunet
from training.detector_batches import Batch
from training.detector_model import PIXEL_SCALE, detector_of

if TYPE_CHECKING:
    import keras

__all__ = ["DetectorTrainer", "TrainingPlan"]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a run does.

    Attributes:
        epochs: rounds of twice as many steps as the training scenes fill batches; the network is judged after each.
        minutes: end earlier than `epochs` if it takes longer than this, with the whole schedule gone through.
        batch: pictures a step.
        size_px: side of the square training pictures, a multiple of 32.
        learning_rate: Adam's highest, after a warm-up; it falls to a hundredth along a cosine.
        freeze_stem: leave the layers before the first pooling as they are: edges and colours, 848 weights that take
            more than half of the time to train.
        average: share of the past in the running average of the weights, which is what is evaluated and kept.
        seed: of everything random.
    """

    epochs: int = 24
    minutes: float = 24 * 60.0
    batch: int = 16
    size_px: int = 320
    learning_rate: float = 8e-4
    freeze_stem: bool = False
    average: float = 0.998
    seed: int = 1


class DetectorTrainer:
    """The weights, their running average, the optimiser and where the run stands; saved and resumed as one file.

    Attributes:
        model: what learns.
        judged: a detector with the weights that `averaged` returned last.
        steps_done: since the run began, interruptions left out.
        seconds: of learning and judging; whoever calls adds to it.
        best: the highest merit of an epoch; whoever calls sets it.
    """

    def __init__(self, model: keras.Model, plan: TrainingPlan, steps: int) -> None:
        """Prepare a run from its beginning.

        Args:
            model: with pixels scaled by `PIXEL_SCALE`; changed by learning.
            plan: what to do.
            steps: in an epoch.
        """
        import keras
        import tensorflow as tf

        from training.detector_loss import cell_grid, detection_loss

        self.model = model
        self.steps_done = 0
        self.seconds = 0.0
        self.best = -1.0
        self._plan = plan
        for layer in model.layers:
            if plan.freeze_stem and layer.name.startswith("stem"):
                layer.trainable = False
        self._steps = steps * plan.epochs
        self._optimizer = keras.optimizers.Adam(plan.learning_rate, clipnorm=10.0)
        self._optimizer.build(model.trainable_variables)
        self._copy = build_yunet(scale=PIXEL_SCALE)
        self.judged = detector_of(self._copy)  # made once, because every network in it is compiled at its first call
        self._average = [weights.copy() for weights in model.get_weights()]
        grid = tf.constant(cell_grid(plan.size_px))

        def step(images: Any, boxes: Any, landmarks: Any, ignored: Any) -> Any:
            with tf.GradientTape() as tape:
                losses = detection_loss(model(images, training=True), boxes, landmarks, ignored, grid)
            gradients = tape.gradient(losses["loss"], model.trainable_variables)
            self._optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return losses

        self._step = tf.function(step, autograph=False)

    @property
    def progress(self) -> float:
        """Return how much of the plan is done, 0..1, in steps or in time, whichever is further."""
        return min(1.0, max(self.steps_done / self._steps, self.seconds / (60 * self._plan.minutes)))

    def step(self, batch: Batch) -> dict[str, float]:
        """Learn from one batch; returns its losses."""
        warm = min(1.0, (self.steps_done + 1) / max(1, min(200, self._steps // 10)))
        fall = 0.01 + 0.99 * (1 + math.cos(math.pi * self.progress)) / 2
        self._optimizer.learning_rate.assign(self._plan.learning_rate * warm * fall)
        self.steps_done += 1
        losses = self._step(batch.images, batch.boxes_xyxy, batch.landmarks_xy, batch.ignore_xyxy)
        share = self._plan.average
        for kept, now in zip(self._average, self.model.get_weights(), strict=True):
            kept *= share
            kept += (1 - share) * now
        return {name: float(value) for name, value in losses.items()}

    def averaged(self) -> keras.Model:
        """Return a model with the averaged weights; the same object each time."""
        self._copy.set_weights(self._average)
        return self._copy

    def save(self, path: Path) -> None:
        """Write everything that `restore` needs; the file is whole or not there."""
        arrays = {f"weights{i:03}": value for i, value in enumerate(self.model.get_weights())}
        arrays |= {f"average{i:03}": value for i, value in enumerate(self._average)}
        arrays |= {f"optimizer{i:03}": np.asarray(value) for i, value in enumerate(self._optimizer.variables)}
        part = path.with_suffix(".part.npz")
        np.savez(part, steps=self.steps_done, seconds=self.seconds, best=self.best, **arrays)
        part.replace(path)

    def restore(self, path: Path) -> None:
        """Go on where `save` stopped."""
        with np.load(path) as stored:
            self.steps_done, self.seconds = int(stored["steps"]), float(stored["seconds"])
            self.best = float(stored["best"])
            names = sorted(stored.files)
            self.model.set_weights([stored[name] for name in names if name.startswith("weights")])
            self._average = [stored[name] for name in names if name.startswith("average")]
            saved = [stored[name] for name in names if name.startswith("optimizer")]
        for variable, value in zip(self._optimizer.variables, saved, strict=True):
            variable.assign(value)

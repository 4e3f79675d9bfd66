"""What a training run is told; written into its report so that it can be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["TrainSettings"]


class TrainSettings(BaseModel):
    """Settings of one training run.

    Attributes:
        data: folders to learn from; see `training.samples`.
        val: folders to measure on.
        out: folder of the run.
        backbone: Keras weights file to start from; None downloads ImageNet's.
        face_finder: YuNet ONNX file that finds faces in place of the shipped detector.
        corrections: file of corrected labels; see `training.corrections`.
        licences: "SOURCE=TEXT" each; see `training.licences`.
        leave_out: sources that are neither learned from nor chosen by; see `training.data`.
        size_px: side of the network's input.
        alpha: width of MobileNetV2.
        epochs_head: epochs with a frozen backbone.
        epochs_fine: epochs with the backbone learning too.
        fine_from: first layer of the backbone that learns, by the beginning of its name ("block_6"); "" is all of it.
        epoch_faces: faces drawn in an epoch.
        batch: faces in a step.
        rate_head: Adam's learning rate with a frozen backbone.
        rate_fine: its rate at the start of fine-tuning; it falls to zero along a cosine.
        seed: of every random choice.
        threads: TensorFlow's threads; 0 takes all cores.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: tuple[Path, ...]
    val: tuple[Path, ...]
    out: Path
    backbone: Path | None = None
    face_finder: Path | None = None
    corrections: Path | None = None
    licences: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    size_px: Annotated[int, Field(ge=32, le=512, multiple_of=32)] = 128
    alpha: Annotated[float, Field(ge=0.35, le=1.4)] = 1.0
    epochs_head: Annotated[int, Field(ge=0, le=1000)] = 2
    epochs_fine: Annotated[int, Field(ge=0, le=1000)] = 6
    fine_from: str = ""
    epoch_faces: Annotated[int, Field(ge=1)] = 8000
    batch: Annotated[int, Field(ge=1, le=1024)] = 32
    rate_head: Annotated[float, Field(gt=0, le=1)] = 1e-3
    rate_fine: Annotated[float, Field(gt=0, le=1)] = 2e-4
    seed: int = 1
    threads: Annotated[int, Field(ge=0, le=256)] = 0

"""What a training run is told; written into its report so that it can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from maskwatch.errors import ConfigError
from models.backbones import SMALLEST_INPUT_PX, BackboneName, BackboneWeights
from training.augment import AUGMENTATIONS

__all__ = ["TrainSettings", "settings_of"]

Share = Annotated[float, Field(ge=0, lt=1)]


class TrainSettings(BaseModel):
    """Settings of one training run.

    Attributes:
        data: folders to learn from; see `training.samples`.
        val: folders to measure on.
        out: folder of the run.
        recipe: "standard" is this project's; "classic" repeats the scripts that it descends from (`training.classic`).
        backbone_name: architecture of the backbone.
        backbone_weights: a Keras weights file to start from, "imagenet" for Keras' download, or "none" for random ones.
        start_from: a trained `.keras` file of the same shape to go on from, in place of the backbone's weights.
        start_share: share of that file's weights in the ones that are kept (`training.start.blend`).
        face_finder: YuNet ONNX file that finds faces in place of the shipped detector; see `training.facefinder`.
        corrections: file of corrected labels; see `training.corrections`.
        licences: "SOURCE=TEXT" each; see `training.licences`.
        size_px: side of the network's input.
        alpha: width of MobileNetV2; InceptionV3 has one width.
        epochs_head: epochs with a frozen backbone.
        epochs_fine: epochs with the backbone learning too.
        fine_from: first layer of the backbone that learns, by the beginning of its name ("block_6"); "" is all of it.
        epoch_faces: faces drawn in an epoch.
        batch: faces in a step.
        rate_head: Adam's learning rate with a frozen backbone.
        rate_fine: its rate at the start of fine-tuning; it falls to zero along a cosine.
        ema: how slowly the averaged weights, which are the ones that are kept, follow the learning ones; 0 keeps the
            learning ones.
        patience: epochs of fine-tuning without a better one after which it stops; 0 never stops early.
        two_class_sources: sources that know no `incorrect_mask`, so that their `with_mask` may hide it.
        leave_out: sources that are neither learned from nor chosen by; see `training.data`.
        without: names from `training.augment.AUGMENTATIONS` that are switched off.
        seed: of every random choice.
        threads: TensorFlow's threads; 0 takes all cores.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: tuple[Path, ...]
    val: tuple[Path, ...]
    out: Path
    recipe: Literal["standard", "classic"] = "standard"
    backbone_name: BackboneName = "mobilenet_v2"
    backbone_weights: BackboneWeights = "imagenet"
    start_from: Path | None = None
    start_share: Share = 0.0
    face_finder: Path | None = None
    corrections: Path | None = None
    licences: tuple[str, ...] = ()
    size_px: Annotated[int, Field(ge=32, le=512, multiple_of=32)] = 128
    alpha: Annotated[float, Field(ge=0.35, le=1.4)] = 1.0
    epochs_head: Annotated[int, Field(ge=0, le=1000)] = 2
    epochs_fine: Annotated[int, Field(ge=0, le=1000)] = 6
    fine_from: str = ""
    epoch_faces: Annotated[int, Field(ge=1)] = 8000
    batch: Annotated[int, Field(ge=1, le=1024)] = 32
    rate_head: Annotated[float, Field(gt=0, le=1)] = 1e-3
    rate_fine: Annotated[float, Field(gt=0, le=1)] = 2e-4
    ema: Share = 0.999
    patience: Annotated[int, Field(ge=0)] = 0
    two_class_sources: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    seed: int = 1
    threads: Annotated[int, Field(ge=0, le=256)] = 0

    @model_validator(mode="after")
    def _input_fits_backbone(self) -> Self:
        smallest = SMALLEST_INPUT_PX[self.backbone_name]
        if self.size_px < smallest:
            raise ValueError(f"--size {self.size_px}: {self.backbone_name} takes pictures from {smallest} px on")
        return self

    @model_validator(mode="after")
    def _share_has_a_start(self) -> Self:
        if self.start_share and self.start_from is None:
            raise ValueError(f"--start-share {self.start_share}: of what? Give the file with --start-from")
        return self

    @model_validator(mode="after")
    def _switched_off_parts_exist(self) -> Self:
        if unknown := sorted(set(self.without) - set(AUGMENTATIONS)):
            raise ValueError(f"--without {unknown[0]}: no such part; expected one of {', '.join(AUGMENTATIONS)}")
        return self


def settings_of(options: Mapping[str, Any], named: Mapping[str, str]) -> TrainSettings:
    """Check a command's options.

    Args:
        options: values by the field of the settings that they are for.
        named: the command's option by field, where it has another name than the field.

    Raises:
        ConfigError: if one is out of bounds; the message names the option.
    """
    try:
        return TrainSettings(**options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if not first["loc"]:
            raise ConfigError(first["msg"].removeprefix("Value error, ")) from error
        field = str(first["loc"][0])
        option = named.get(field, f"--{field.replace('_', '-')}")
        raise ConfigError(f"{option}: {first['msg']}, received {first['input']}") from error

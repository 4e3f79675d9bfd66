"""What a model says about itself: the form of `<folder of models>/<name>/manifest.json`."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from maskwatch.errors import ModelError
from maskwatch.files import read_file
from maskwatch.validation import first_error

__all__ = [
    "EngineName",
    "FileSpec",
    "InputSpec",
    "Manifest",
    "ModelKind",
    "OutputSpec",
    "parse_manifest",
    "read_manifest",
]

MAX_MANIFEST_BYTES = 256 * 1024
"""A manifest is some kilobytes; anything larger is another file."""

MOST_PIXELS = 2 << 20
"""Of one input picture. Networks need some hundred bytes a pixel: a manifest must not be able to ask for gigabytes."""

SUFFIXES = {"keras": ".keras", "litert": ".tflite"}
"""The only form each engine reads. Keras' legacy HDF5 and SavedModel forms can hold code, so they aren't accepted."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Side = Annotated[int, Field(ge=8, le=4096)]


class EngineName(StrEnum):
    """What runs a network."""

    LITERT = "litert"
    KERAS = "keras"


class ModelKind(StrEnum):
    """What a network is for."""

    CLASSIFIER = "classifier"
    DETECTOR = "detector"


class _Part(BaseModel):
    """Common rules: unknown keys are errors, values don't change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSpec(_Part):
    """The pictures that a network takes: (N, height, width, 3), unscaled; scaling is part of the network.

    Attributes:
        sizes_wh: widths and heights in pixels that the network takes; the first is the default.
        dtype: always uint8.
        colour: order of the channels.
    """

    sizes_wh: tuple[tuple[Side, Side], ...] = Field(min_length=1, max_length=16)
    dtype: Literal["uint8"] = "uint8"
    colour: Literal["rgb", "bgr"]

    @model_validator(mode="after")
    def _fits_memory(self) -> Self:
        for width, height in self.sizes_wh:
            if width * height > MOST_PIXELS:
                raise ValueError(f"an input of {width}x{height} is more than {MOST_PIXELS} pixels")
        return self


class OutputSpec(_Part):
    """One output; the order in the manifest is the order in which `Network.run` returns them.

    Attributes:
        name: what it is, e.g. "probabilities"; the key where the Keras model returns a dictionary.
        shape: the dimensions after the batch; 0 for one that follows from the input's size.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
    shape: tuple[Annotated[int, Field(ge=0, le=65_536)], ...] = Field(max_length=4)


class FileSpec(_Part):
    """One file of weights.

    Attributes:
        path: its name inside the model's folder; no sub-folders.
        engine: what reads it.
        size_wh: the only input size it takes, or None when it takes every size of the manifest.
        sha256: of the whole file; checked before any byte is parsed.
        size_bytes: length of the file.
        precision: "int8" when weights and activations are quantised, "float16" when weights are stored at half
            precision and computed with at full.
        exported_from: for an exported file, the sha256 of the `.keras` file it came from.
        output_tensors: the interpreter's tensor names in the order of the manifest's outputs. Needed when a LiteRT
            file has more than one output, because the converter may reorder them.
    """

    path: FileName
    engine: EngineName
    size_wh: tuple[Side, Side] | None = None
    sha256: Sha256
    size_bytes: Annotated[int, Field(gt=0, le=64 * 1024 * 1024)]
    precision: Literal["float32", "float16", "int8"] = "float32"
    exported_from: Sha256 | None = None
    output_tensors: tuple[Annotated[str, Field(max_length=200)], ...] = Field(default=(), max_length=16)

    @model_validator(mode="after")
    def _suffix_fits_engine(self) -> Self:
        suffix = SUFFIXES[self.engine]
        if not self.path.endswith(suffix):
            raise ValueError(f"file {self.path}: engine {self.engine} reads {suffix} files only")
        return self


class Manifest(_Part):
    """Everything that is known of a model without opening its weights.

    Attributes:
        schema_version: form of this file.
        name: also the name of the folder.
        version: MAJOR.MINOR.PATCH; changes whenever a file changes.
        kind: what the network is for.
        labels: meaning of the classes, in the order of the outputs.
        input: the pictures it takes.
        outputs: what it returns, in order.
        files: the weights, one entry per engine and size.
        licence: SPDX identifier of the weights.
        thresholds: scores at which the model's authors say yes, by name, 0..1.
    """

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    kind: ModelKind
    labels: tuple[Annotated[str, Field(min_length=1, max_length=50)], ...] = Field(min_length=1, max_length=1000)
    input: InputSpec
    outputs: tuple[OutputSpec, ...] = Field(min_length=1, max_length=16)
    files: tuple[FileSpec, ...] = Field(min_length=1, max_length=64)
    licence: Annotated[str, Field(min_length=1, max_length=200)]
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        sources = {file.sha256 for file in self.files if file.engine is EngineName.KERAS}
        for file in self.files:
            if file.exported_from is not None and sources and file.exported_from not in sources:
                raise ValueError(f"file {file.path}: exported_from names no .keras file of this manifest")
            if file.size_wh is not None and file.size_wh not in self.input.sizes_wh:
                raise ValueError(f"file {file.path}: size_wh {file.size_wh} is not one of input.sizes_wh")
            if file.engine is EngineName.LITERT and len(file.output_tensors) not in _tensor_counts(self):
                raise ValueError(f"file {file.path}: output_tensors must name each of the {len(self.outputs)} outputs")
        return self


def _tensor_counts(manifest: Manifest) -> set[int]:
    """Return how many tensor names a LiteRT file may give: all, or none where there is nothing to reorder."""
    return {1, 0} if len(manifest.outputs) == 1 else {len(manifest.outputs)}


def read_manifest(path: Path) -> tuple[Manifest, str]:
    """Read and check one manifest.

    Args:
        path: the `manifest.json`.

    Returns:
        The manifest, and the sha256 of its file.

    Raises:
        ModelError: if the file is missing, too large, not JSON, or has another form.
    """
    content = read_file(path, MAX_MANIFEST_BYTES, "install the model again", what="model manifest", error=ModelError)
    return parse_manifest(content, path), hashlib.sha256(content).hexdigest()


def parse_manifest(content: bytes, path: Path) -> Manifest:
    """Check the content of a manifest.

    Args:
        content: what was read.
        path: where from, for the error.

    Raises:
        ModelError: if it is not JSON, or has another form.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        message = f"model manifest {path}: {first_error(error)} ({error.error_count()} errors in all)"
        raise ModelError(f"{message}; correct the manifest or install the model again") from error

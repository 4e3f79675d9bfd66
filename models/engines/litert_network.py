"""LiteRT (TensorFlow Lite): the engine for CPUs."""

from __future__ import annotations

from typing import Any

import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import EngineUnavailable, ModelError
from models.engines.litert_check import check_litert
from models.engines.network import batches_even, empty_outputs, join_outputs, require_images
from models.manifest import EngineName
from models.registry import ModelEntry

__all__ = ["LiteRtNetwork"]

MOST_BATCHED_PIXELS = 65_536
"""Of one call: four faces of 128x128, or one frame. More at once are no faster each, for they leave the processor's
caches, and memory grows with them: sixteen frames of 320x192 took 52 MB, eight of 640x384 107 MB."""


class LiteRtNetwork:
    """A `.tflite` file with uint8 input, run by the LiteRT interpreter with XNNPACK.

    Args:
        entry: the model.
        size_wh: input width and height in pixels; None takes the manifest's first.
        threads: threads inside one call. One is the default because workers scale by processes.

    Raises:
        EngineUnavailable: if ai-edge-litert can't be imported.
        ModelError: if the file can't be used or doesn't fit its manifest.
        ChecksumMismatch: if the file isn't the one that the manifest names.
    """

    def __init__(self, entry: ModelEntry, size_wh: tuple[int, int] | None = None, threads: int = 1) -> None:
        self.size_wh = size_wh or entry.manifest.input.sizes_wh[0]
        self.output_names = tuple(output.name for output in entry.manifest.outputs)
        self._outputs = entry.manifest.outputs
        self._file = entry.file_for(EngineName.LITERT, self.size_wh)
        self._where = str(entry.folder / self._file.path)
        self._most = max(1, MOST_BATCHED_PIXELS // (self.size_wh[0] * self.size_wh[1]))
        content = entry.read(self._file)
        check_litert(content, self._where)
        self._interpreter: _Interpreter | None = self._load(content, threads)

    def run(self, images: UInt8Array) -> tuple[Float32Array, ...]:
        """Run a batch; see `Network.run`."""
        require_images(images, self.size_wh)
        if self._interpreter is None:
            raise ModelError(f"model file {self._where}: the network is closed; load it again")
        if len(images) == 0:
            return empty_outputs(self._outputs)
        try:
            pieces = [
                self._interpreter.run(images[start:stop]) for start, stop in batches_even(len(images), self._most)
            ]
        except (ValueError, RuntimeError) as error:
            raise self._refused(error) from error
        return join_outputs(pieces, self._outputs)

    def close(self) -> None:
        """Drop the interpreter."""
        self._interpreter = None

    def _load(self, content: bytes, threads: int) -> _Interpreter:
        width, height = self.size_wh
        try:
            return _Interpreter(content, (1, height, width, 3), threads, self._file.output_tensors)
        except (ValueError, RuntimeError) as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> ModelError:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return ModelError(f"model file {self._where}: LiteRT can't use it ({reason}); install the model again")


class _Interpreter:
    """One interpreter, whose input grows and shrinks with the batch.

    XNNPACK packs the weights once, so a change of the batch costs 0.2 ms; an interpreter for each size would hold the
    weights as often as there are sizes.

    Args:
        content: the whole `.tflite` file.
        shape: (N, H, W, 3) of the input to begin with.
        threads: threads inside one call.
        output_tensors: tensor names in the wanted order; empty where there is one output.

    Raises:
        ValueError: if the file doesn't fit; RuntimeError: if the runtime refuses it.
    """

    def __init__(
        self, content: bytes, shape: tuple[int, int, int, int], threads: int, output_tensors: tuple[str, ...]
    ) -> None:
        self._runtime = _make_runtime(content, threads)
        inputs = self._runtime.get_input_details()
        if len(inputs) != 1 or inputs[0]["dtype"] != np.uint8:
            kinds = [np.dtype(detail["dtype"]).name for detail in inputs]
            raise ValueError(f"expected one uint8 input, received {kinds}")
        self._input = int(inputs[0]["index"])
        self._resize(shape)
        self._outputs = self._ordered(output_tensors)

    def _resize(self, shape: tuple[int, ...]) -> None:
        self._runtime.resize_tensor_input(self._input, shape, strict=True)
        self._runtime.allocate_tensors()
        self._shape = shape

    def _ordered(self, names: tuple[str, ...]) -> list[tuple[int, float, int]]:
        """Return tensor index, scale and zero point of each output in the wanted order."""
        details = {str(detail["name"]): detail for detail in self._runtime.get_output_details()}
        wanted = names or tuple(details)
        if sorted(wanted) != sorted(details):
            raise ValueError(f"expected output tensors {sorted(wanted)}, received {sorted(details)}")
        found = []
        for name in wanted:
            scale, zero = details[name]["quantization"]
            found.append((int(details[name]["index"]), float(scale), int(zero)))
        return found

    def run(self, images: UInt8Array) -> tuple[Float32Array, ...]:
        """Run a batch whole."""
        if images.shape != self._shape:
            self._resize(images.shape)
        self._runtime.set_tensor(self._input, images)
        self._runtime.invoke()
        return tuple(self._read(*output) for output in self._outputs)

    def _read(self, index: int, scale: float, zero: int) -> Float32Array:
        array = self._runtime.get_tensor(index)
        if scale == 0.0:  # LiteRT's way of saying: not quantised
            return np.asarray(array, dtype=np.float32)
        values: Float32Array = (array.astype(np.float32) - np.float32(zero)) * np.float32(scale)
        return values


def _make_runtime(content: bytes, threads: int) -> Any:
    """Import LiteRT (0.3 s) and make an interpreter.

    Raises:
        EngineUnavailable: if it can't be imported.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise EngineUnavailable(
            f"engine litert: ai-edge-litert can't be imported ({error}); run: pip install ai-edge-litert"
        ) from error
    return Interpreter(model_content=content, num_threads=threads)

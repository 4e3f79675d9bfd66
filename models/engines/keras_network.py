"""Keras: the engine for GPUs, on the TensorFlow or the JAX backend; it runs on CPUs too, slower than LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import structlog

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import EngineUnavailable, ModelError
from models.engines.keras_archive import load_archive
from models.engines.network import batches_padded, empty_outputs, join_outputs, require_images
from models.manifest import EngineName, OutputSpec
from models.registry import ModelEntry

__all__ = ["KerasNetwork"]

BATCH_SIZES = (1, 4, 16, 64)
"""Each has a function of its own, compiled when first needed; few of them, because that takes about a second."""

Compiled = Callable[[UInt8Array], Any]
"""Takes exactly one batch size; what it returns may still be computing on the device."""


class KerasNetwork:
    """A `.keras` file run as one compiled function per batch size.

    `model.predict` is not used: it costs 50 to 100 ms a call whatever the batch, and calling it in a loop grows memory.

    Args:
        entry: the model.
        size_wh: input width and height in pixels; None takes the manifest's first.
        threads: TensorFlow's threads inside one operation on a CPU; takes effect only before its first use.

    Raises:
        EngineUnavailable: if Keras or its backend can't be imported, or the GPU has no memory left.
        ModelError: if the file can't be used or doesn't fit its manifest.
        ChecksumMismatch: if the file isn't the one that the manifest names.
    """

    def __init__(self, entry: ModelEntry, size_wh: tuple[int, int] | None = None, threads: int = 1) -> None:
        self.size_wh = size_wh or entry.manifest.input.sizes_wh[0]
        self.output_names = tuple(output.name for output in entry.manifest.outputs)
        self._outputs = entry.manifest.outputs
        spec = entry.file_for(EngineName.KERAS, self.size_wh)
        self._where = str(entry.folder / spec.path)
        content = entry.read(spec)
        self._errors = _prepare_backend(threads)
        self._model: Any = None
        self._compiled: dict[int, Compiled] = {}
        try:
            self._model = load_archive(content, self._where)
            self._collect(self._start(np.zeros((1, self.size_wh[1], self.size_wh[0], 3), np.uint8), 1), 1)
        except ValueError as error:
            self.close()
            raise ModelError(
                f"model file {self._where}: doesn't take pictures of {self.size_wh[0]}x{self.size_wh[1]} "
                f"as its manifest says ({str(error).splitlines()[0]}); install the model again"
            ) from error
        except self._errors as error:
            self.close()
            reason = str(error).splitlines()[0]
            raise EngineUnavailable(
                f"model file {self._where}: engine keras can't start ({reason}); free GPU memory or use --engine litert"
            ) from error

    def run(self, images: UInt8Array) -> tuple[Float32Array, ...]:
        """Run a batch; see `Network.run`."""
        require_images(images, self.size_wh)
        if self._model is None:
            raise ModelError(f"model file {self._where}: the network is closed; load it again")
        if len(images) == 0:
            return empty_outputs(self._outputs)
        try:
            # All pieces are on their way before the first answer is waited for: a GPU copies one while it computes
            # another.
            started = [
                (self._start(images[start:stop], size), stop - start)
                for start, stop, size in batches_padded(len(images), BATCH_SIZES)
            ]
            pieces = [self._collect(result, count) for result, count in started]
        except self._errors as error:
            raise ModelError(
                f"model file {self._where}: engine keras failed on {len(images)} pictures "
                f"({str(error).splitlines()[0]}); use smaller batches or --engine litert"
            ) from error
        return join_outputs(pieces, self._outputs)

    def close(self) -> None:
        """Drop the model and its compiled functions."""
        self._model = None
        self._compiled.clear()

    def _start(self, images: UInt8Array, size: int) -> Any:
        """Run a piece in the function of a batch size, padded with black pictures."""
        batch = images
        if len(images) < size:
            batch = np.zeros((size, *images.shape[1:]), np.uint8)
            batch[: len(images)] = images
        if size not in self._compiled:
            self._compiled[size] = _compile(self._model, batch.shape)
        return self._compiled[size](batch)

    def _collect(self, result: Any, count: int) -> tuple[Float32Array, ...]:
        """Wait for a result and leave the padding out."""
        return tuple(array[:count] for array in _in_order(result, self._outputs, self._where))


def _prepare_backend(threads: int) -> tuple[type[Exception], ...]:
    """Import Keras with its backend and set it up for sharing a machine.

    Returns:
        The backend's exceptions that mean: this machine can't, e.g. out of memory.

    Raises:
        EngineUnavailable: if Keras or the backend can't be imported, or the backend isn't one that is known here.
    """
    try:
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            _share_machine(tf, threads)
            errors = tf.errors
            return (
                errors.ResourceExhaustedError,
                errors.InternalError,
                errors.UnknownError,
                errors.FailedPreconditionError,
            )
        if keras.backend.backend() == "jax":
            import jax

            return (jax.errors.JaxRuntimeError,)
    except ImportError as error:
        raise EngineUnavailable(
            f"engine keras: can't be imported ({error}); run: pip install 'maskwatch[gpu]', or use --engine litert"
        ) from error
    raise EngineUnavailable(
        f"engine keras: expected the backend tensorflow or jax, received {keras.backend.backend()}; set KERAS_BACKEND"
    )


def _share_machine(tf: Any, threads: int) -> None:
    """Take GPU memory as needed, so that several workers fit one GPU, and keep to the given threads."""
    try:
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except (RuntimeError, ValueError):
        structlog.get_logger().debug("engine.keras.already_started", threads=threads)


def _compile(model: Any, shape: tuple[int, ...]) -> Compiled:
    """Make a function of a model for pictures of one shape, (N, H, W, 3)."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        trainable = [variable.value for variable in model.trainable_variables]
        fixed = [variable.value for variable in model.non_trainable_variables]
        # The weights are arguments: as constants they would be in GPU memory once for each size.
        stateless = jax.jit(
            lambda learned, other, images: model.stateless_call(learned, other, images, training=False)[0]
        )
        ready = stateless.lower(trainable, fixed, jax.ShapeDtypeStruct(shape, np.uint8)).compile()
        return lambda images: ready(trainable, fixed, images)
    import tensorflow as tf

    # No XLA: on CPUs it takes seconds to compile each shape and was measured slower than oneDNN's kernels.
    traced = tf.function(lambda images: model(images, training=False), autograph=False, jit_compile=False)
    # Traced by hand: TensorFlow would take the first calls of several networks and sizes for one that is traced in
    # vain again and again, and warn.
    concrete = traced.get_concrete_function(tf.TensorSpec(shape, tf.uint8))
    return lambda images: concrete(tf.constant(images))


def _in_order(result: Any, outputs: tuple[OutputSpec, ...], where: str) -> tuple[Float32Array, ...]:
    """Bring a model's result into the manifest's order.

    Raises:
        ModelError: if it has other outputs.
    """
    if isinstance(result, Mapping):
        wanted = [output.name for output in outputs]
        if sorted(result) != sorted(wanted):
            raise ModelError(f"model file {where}: expected outputs {sorted(wanted)}, received {sorted(result)}")
        parts = [result[name] for name in wanted]
    else:
        parts = list(result) if isinstance(result, list | tuple) else [result]
    if len(parts) != len(outputs):
        raise ModelError(f"model file {where}: expected {len(outputs)} outputs, received {len(parts)}")
    return tuple(np.array(part, dtype=np.float32) for part in parts)

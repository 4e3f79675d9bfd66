"""What every engine offers, and how a batch of any size is cut into the sizes that an engine has ready."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ModelError, ShapeError
from models.manifest import OutputSpec

__all__ = ["Network", "batches_even", "batches_padded", "empty_outputs", "join_outputs", "require_images"]


class Network(Protocol):
    """A network that is loaded and ready. Belongs to one thread: the runtimes keep buffers between calls.

    Attributes:
        size_wh: width and height in pixels of the pictures it takes.
        output_names: the outputs' names in the order in which `run` returns them (the manifest's).
    """

    size_wh: tuple[int, int]
    output_names: tuple[str, ...]

    def run(self, images: UInt8Array) -> tuple[Float32Array, ...]:
        """Run a batch of any size.

        Args:
            images: (N, H, W, 3) uint8 in the manifest's colour order; N may be 0; not modified.

        Returns:
            One (N, ...) float32 array per output, dequantised, in the manifest's order; owned by the caller.

        Raises:
            ShapeError: if the pictures have another shape or dtype.
            ModelError: if the runtime fails.
        """
        ...

    def close(self) -> None:
        """Give the memory back; `run` must not be called afterwards. Calling it twice is harmless."""
        ...


def require_images(images: UInt8Array, size_wh: tuple[int, int]) -> None:
    """Check a batch against the network's input.

    Raises:
        ShapeError: if it isn't (N, H, W, 3) uint8 of the network's size.
    """
    width, height = size_wh
    if images.ndim != 4 or images.shape[1:] != (height, width, 3) or images.dtype != np.uint8:
        raise ShapeError(f"images: expected (N, {height}, {width}, 3) uint8, received {images.shape} {images.dtype}")


def batches_even(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut a batch into as few pieces as possible without padding, of almost the same size: 9 becomes 3 + 3 + 3.

    For CPUs, where a padded picture costs as much as a real one and a single one more than its share of a few.

    Args:
        count: how many pictures there are.
        most: in one piece, at least 1.

    Yields:
        Start and stop of each piece; the larger ones come first.
    """
    pieces = -(-count // most)
    start = 0
    for piece in range(pieces):
        stop = start + -(-(count - start) // (pieces - piece))
        yield start, stop
        start = stop


def batches_padded(count: int, sizes: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    """Cut a batch into a few pieces, the last one padded up to a ready size that it fills by more than half.

    For GPUs, where a call costs more than some padded pictures: 24 becomes 16 + 4 + 4, and 9 a padded 16.

    Args:
        count: how many pictures there are.
        sizes: the ready sizes, ascending, beginning with 1.

    Yields:
        Start and stop of each piece, and the ready size that holds it.
    """
    start = 0
    while start < count:
        left = count - start
        size = min((size for size in sizes if left <= size < 2 * left), default=0)
        size = size or max(size for size in sizes if size <= left)
        yield start, min(count, start + size), size
        start += size


def empty_outputs(outputs: tuple[OutputSpec, ...]) -> tuple[Float32Array, ...]:
    """Return what a network says of no pictures: (0, ...) float32 per output, unknown dimensions being 0."""
    return tuple(np.zeros((0, *output.shape), dtype=np.float32) for output in outputs)


def join_outputs(
    pieces: Sequence[tuple[Float32Array, ...]], outputs: tuple[OutputSpec, ...]
) -> tuple[Float32Array, ...]:
    """Join the outputs of consecutive pieces of a batch, checked against the manifest.

    Raises:
        ModelError: if an output has another shape than the manifest says.
    """
    joined = pieces[0] if len(pieces) == 1 else tuple(np.concatenate(parts) for parts in zip(*pieces, strict=True))
    for output, array in zip(outputs, joined, strict=True):
        fits = len(output.shape) == array.ndim - 1 and all(
            want in (0, got) for want, got in zip(output.shape, array.shape[1:], strict=True)
        )
        if not fits:
            raise ModelError(
                f"output {output.name}: expected (N, {', '.join(map(str, output.shape))}), received {array.shape}; "
                "the manifest doesn't describe this file: install the model again"
            )
    return joined

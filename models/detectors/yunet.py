"""The face network: YuNet's architecture as a Keras 3 model.

A stem and five stages of separable units (1x1 convolution, then 3x3 depthwise), three pyramid levels of strides 8, 16
and 32 joined from coarse to fine, and one linear separable unit a level as its head. About 53 thousand parameters.

The four heads of the original (class, objectness, box, landmarks) are one 16-channel convolution here, which is the
same arithmetic in fewer and wider calls. Padding of the stem is at the right and bottom only, which spares a copy of
the picture; the heads' biases carry the pixel by which this shifts what the network sees.

Source: W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20, 2023.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

__all__ = ["HEAD_CHANNELS", "STAGE_CHANNELS", "STEM_SHIFT_PX", "STRIDES", "build_yunet"]

STRIDES = (8, 16, 32)
"""Pixels per cell of the three outputs, finest first."""

HEAD_CHANNELS = 16
"""Per cell: class logit, objectness logit, box (4), five landmarks (10)."""

STAGE_CHANNELS = ((16, 32), (32, 64), (64, 64), (64, 64), (64, 64))
"""Channels after each of the two units of stages 1 to 5."""

STEM_SHIFT_PX = 1
"""The stem sees the picture this many pixels further right and down than the published network's does."""


def build_yunet(size_wh: tuple[int, int] | None = None, *, scale: float = 1.0) -> keras.Model:
    """Make the network with random weights.

    Args:
        size_wh: width and height of the input in pixels, multiples of 32; None leaves them free.
        scale: what pixels are multiplied with before the stem. 1 for use; 1/255 while training, so that the stem's
            weights have the size of all others (an optimiser like Adam takes steps of one size for all).

    Returns:
        A model from `images` (N, H, W, 3) uint8 BGR to three maps (N, H/s, W/s, 16) float32 for s in `STRIDES`; see
        `HEAD_CHANNELS` for their channels and `models.detectors.decode` for their meaning.

    Raises:
        ValueError: if `size_wh` is no multiple of 32.
    """
    import keras
    from keras import layers

    if size_wh is not None and (size_wh[0] % 32 or size_wh[1] % 32):
        raise ValueError(f"size_wh: expected multiples of 32, received {size_wh}")
    height, width = (None, None) if size_wh is None else (size_wh[1], size_wh[0])
    images = keras.Input((height, width, 3), dtype="uint8", name="images")
    x: Any = layers.Rescaling(scale, name="pixels")(images)
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    x = _unit(x, 16, "stem_unit")
    levels = []
    for stage, channels in enumerate(STAGE_CHANNELS, start=1):
        if stage != 2:
            x = layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
        for number, count in enumerate(channels, start=1):
            x = _unit(x, count, f"stage{stage}_unit{number}")
        levels.append(x)
    merged: Any = None
    outputs: list[Any] = []
    for stride, level in zip(reversed(STRIDES), reversed(levels[-3:]), strict=True):
        if merged is not None:
            level = layers.Add(name=f"join{stride}")([level, _doubled(merged, f"up{stride}")])
        merged = _unit(level, 64, f"neck{stride}")
        outputs.insert(0, _unit(merged, HEAD_CHANNELS, f"head{stride}", activation=None))
    return keras.Model(images, outputs, name="yunet")


def _unit(x: Any, channels: int, name: str, activation: str | None = "relu") -> Any:
    """Apply a 1x1 convolution and a 3x3 depthwise one, both with biases, the second with the activation."""
    from keras import layers

    x = layers.Conv2D(channels, 1, name=f"{name}_point")(x)
    return layers.DepthwiseConv2D(3, padding="same", activation=activation, name=f"{name}_depth")(x)


def _doubled(x: Any, name: str) -> Any:
    """Repeat every cell twice in both directions.

    Where the size is known this is a resize, which LiteRT does in one call; it takes six calls for the free form.
    """
    from keras import layers

    height, width = x.shape[1:3]
    if height is None:
        return layers.UpSampling2D(2, interpolation="nearest", name=name)(x)
    return layers.Resizing(2 * height, 2 * width, interpolation="nearest", name=name)(x)

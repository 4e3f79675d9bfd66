"""The classifier's architecture: an ImageNet backbone, and the small head that tells how a mask is worn."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from maskwatch.errors import ModelError
from maskwatch.types import LABELS

__all__ = ["SMALLEST_INPUT_PX", "BackboneName", "BackboneWeights", "build_backbone", "build_classifier"]

BackboneName = Literal["mobilenet_v2", "inception_v3"]

BackboneWeights = Path | Literal["imagenet", "none"]

SMALLEST_INPUT_PX: dict[BackboneName, int] = {"mobilenet_v2": 32, "inception_v3": 75}
"""Sides below which Keras refuses to build a backbone: nothing would be left of the picture at its end."""

DROPOUT = 0.3


def build_classifier(
    name: BackboneName = "mobilenet_v2",
    size_px: int = 128,
    alpha: float = 1.0,
    weights: BackboneWeights = "none",
) -> Any:
    """Build the classifier: scaling, backbone, global average, dropout, softmax over `LABELS`.

    Batch normalisation stays in inference mode also while training: with batches of 32 and some thousand faces its
    running averages would drift away from ImageNet's.

    Args:
        name: of the backbone.
        size_px: side of the square input.
        alpha: width of MobileNetV2; InceptionV3 has one width.
        weights: of the backbone; see `build_backbone`.

    Returns:
        A keras.Model: (N, size_px, size_px, 3) uint8 RGB to (N, 3) float32 probabilities; its backbone is the layer
        named "backbone", its last layer is named "probabilities".

    Raises:
        ModelError: if the weights file doesn't fit.
    """
    import keras

    backbone = build_backbone(name, size_px, alpha, weights)
    pictures = keras.Input((size_px, size_px, 3), dtype="uint8", name="faces_rgb")
    # Both backbones learned on ImageNet from pixels in -1..1.
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(pictures)
    features = keras.layers.GlobalAveragePooling2D(name="average")(backbone(scaled, training=False))
    features = keras.layers.Dropout(DROPOUT, name="dropout")(features)
    probabilities = keras.layers.Dense(len(LABELS), activation="softmax", name="probabilities")(features)
    return keras.Model(pictures, probabilities, name="maskwatch_mask")


def build_backbone(name: BackboneName, size_px: int, alpha: float = 1.0, weights: BackboneWeights = "none") -> Any:
    """Build a backbone without its ImageNet head.

    Args:
        name: which one.
        size_px: side of the square input.
        alpha: width of MobileNetV2; InceptionV3 has one width.
        weights: a Keras weights file of the backbone with `include_top=False`, "imagenet" for Keras' own download
            (needs the internet), or "none" for random ones.

    Returns:
        A keras.Model named "backbone": (N, size_px, size_px, 3) float32 in -1..1 to (N, h, w, C) features.

    Raises:
        ModelError: if the weights file doesn't fit.

    Source:
        Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018; Szegedy et al.,
        "Rethinking the Inception Architecture for Computer Vision", CVPR 2016.
    """
    import keras

    common = {
        "input_shape": (size_px, size_px, 3),
        "include_top": False,
        "weights": "imagenet" if weights == "imagenet" else None,
        "name": "backbone",
    }
    if name == "mobilenet_v2":
        backbone, called = keras.applications.MobileNetV2(alpha=alpha, **common), f"MobileNetV2 of alpha={alpha}"
    else:
        backbone, called = keras.applications.InceptionV3(**common), "InceptionV3"
    if isinstance(weights, Path):
        try:
            backbone.load_weights(weights)
        except (OSError, ValueError, KeyError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"backbone weights {weights}: expected a .weights.h5 file of {called} with include_top=False, "
                f"received something else ({reason}); give another --backbone-weights"
            ) from error
    return backbone

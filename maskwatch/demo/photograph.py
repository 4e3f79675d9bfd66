"""The person of the demo: cut out of scikit-image's `astronaut.png`, a NASA photograph in the public domain.

Source: https://flic.kr/p/r9qvLn (Eileen Collins, NASA, 1995), as scikit-image's data/README.txt says.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ConfigError

__all__ = ["PHOTO_SIDE_PX", "cut_out", "other_colours", "photograph"]

PHOTO_SIDE_PX = 512
_OUTLINE = (
    *((18, 511), (22, 420), (28, 390), (45, 320), (50, 290), (62, 255), (85, 235), (115, 212), (117, 190), (125, 170)),
    *((140, 155), (160, 149), (181, 149), (180, 140), (172, 131), (170, 118), (158, 105), (153, 90), (155, 68)),
    *((165, 56), (180, 42), (195, 24), (215, 16), (240, 15), (265, 24), (287, 45), (299, 65), (301, 90), (296, 107)),
    *((284, 124), (275, 137), (266, 141), (264, 160), (259, 173), (285, 195), (300, 225), (305, 240), (330, 253)),
    *((346, 275), (353, 300), (360, 345), (400, 343), (440, 352), (475, 385), (490, 430), (498, 470), (511, 500)),
    (511, 511),
)
"""The person and the helmet she holds, in pixels of the photograph; drawn by hand, made exact by GrabCut."""
_HEAD = ((150, 5), (305, 5), (305, 108), (284, 128), (150, 108))
_FACE = (
    (170, 116),
    (181, 114),
    (182, 97),
    (188, 86),
    (204, 82),
    (226, 84),
    (248, 88),
    (264, 95),
    (270, 104),
    (271, 128),
)
_BAND_PX = 13
"""How wide the outline is, that GrabCut decides within."""


def photograph() -> UInt8Array:
    """Read the photograph.

    Returns:
        (512, 512, 3) uint8, BGR.

    Raises:
        ConfigError: if scikit-image or its file is missing.
    """
    try:
        path = Path(str(distribution("scikit-image").locate_file("skimage/data/astronaut.png")))
    except PackageNotFoundError:
        raise ConfigError("the demo needs the photograph in PyPI's scikit-image; install it, or use --config") from None
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None or picture.shape != (PHOTO_SIDE_PX, PHOTO_SIDE_PX, 3):
        raise ConfigError(f"{path}: not the photograph that the demo expects; install scikit-image again")
    return np.asarray(picture, np.uint8)


def cut_out(photo: UInt8Array) -> UInt8Array:
    """Return how much of each pixel is the person.

    Args:
        photo: (512, 512, 3) uint8, BGR.

    Returns:
        (512, 512) uint8, 0 for the background.
    """
    inside = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.array(_OUTLINE, np.int32)], (255,))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_BAND_PX, _BAND_PX))
    hints = np.full(photo.shape[:2], cv2.GC_BGD, np.uint8)
    hints[cv2.dilate(inside, disc) > 0] = cv2.GC_PR_BGD
    hints[inside > 0] = cv2.GC_PR_FGD
    eroded = cv2.erode(inside, disc, borderValue=(255,))
    hints[eroded > 0] = cv2.GC_FGD
    cv2.setRNGSeed(1)
    cv2.grabCut(photo, hints, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK)
    person = np.where((hints == cv2.GC_FGD) | (hints == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    small = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    person = np.asarray(cv2.morphologyEx(person, cv2.MORPH_OPEN, small), np.uint8)
    person = np.asarray(cv2.erode(person, np.ones((3, 3), np.uint8), borderValue=(255,)), np.uint8)
    return np.asarray(cv2.GaussianBlur(person, (0, 0), 1.3), np.uint8)


def other_colours(photo: UInt8Array) -> UInt8Array:
    """Return the photograph as of another person: mirrored, darker hair, a suit of another colour.

    Args:
        photo: (512, 512, 3) uint8, BGR.

    Returns:
        (512, 512, 3) uint8, BGR.
    """
    hsv = cv2.cvtColor(photo, cv2.COLOR_BGR2HSV)
    hue, saturation = hsv[..., 0].astype(np.int16), hsv[..., 1]
    is_suit = (((hue < 19) | (hue > 172)) & (saturation > 100)).astype(np.float32)
    is_suit[:200] = 0
    suit = hsv.copy()
    suit[..., 0] = ((hue + 95) % 180).astype(np.uint8)
    suit[..., 1] = (saturation * 0.7).astype(np.uint8)
    strength = cv2.GaussianBlur(is_suit, (0, 0), 1.0)[..., None]
    mixed = photo * (1 - strength) + cv2.cvtColor(suit, cv2.COLOR_HSV2BGR) * strength
    mixed *= 1 - 0.55 * _hair()[..., None]
    return np.ascontiguousarray(np.clip(mixed, 0, 255).astype(np.uint8)[:, ::-1])


def _hair() -> Float32Array:
    """Return (512, 512) in 0..1: where the photograph shows hair."""
    hair = np.zeros((PHOTO_SIDE_PX, PHOTO_SIDE_PX), np.float32)
    cv2.fillPoly(hair, [np.array(_HEAD, np.int32)], (1.0,))
    cv2.fillPoly(hair, [np.array(_FACE, np.int32)], (0.0,))
    return np.asarray(cv2.GaussianBlur(hair, (0, 0), 2.0), np.float32)

from __future__ import annotations

import numpy as np
import pytest

from tests.support_faces import LANDMARKS, plain_patch
from training.facemap import MODEL, Canvas, FaceMap, paint, skin_bgr


def turned(degrees: float, unit_px: float = 40.0) -> FaceMap | None:
    """Return the map of a head that looks so far to the right of the picture."""
    angle = np.radians(degrees)
    x = MODEL[:, 0] * np.cos(angle) + MODEL[:, 2] * np.sin(angle)
    landmarks = np.stack([x, MODEL[:, 1]], axis=1) * unit_px + (80, 60)
    return FaceMap.from_landmarks(landmarks.astype(np.float32))


def test_frontal_face_has_its_origin_between_the_eyes_and_no_turn() -> None:
    face = turned(0)
    assert face is not None
    assert face.origin == pytest.approx((80, 60), abs=0.1)
    assert face.unit_px == pytest.approx(40, abs=0.5)
    assert np.abs(face.slope).max() < 0.02


def test_turn_of_the_head_is_seen_and_its_sign_too() -> None:
    left, right = turned(-25), turned(25)
    assert left is not None
    assert right is not None
    assert left.slope[0] == pytest.approx(-right.slope[0], abs=1e-6)
    assert right.slope[0] == pytest.approx(np.tan(np.radians(25)), rel=0.25)


@pytest.mark.parametrize("degrees", [0, -20, 25])
def test_points_come_back_where_they_were(degrees: float) -> None:
    face = turned(degrees)
    assert face is not None
    for point in ((0.0, 0.6), (0.4, 1.1), (-0.3, 1.8)):
        pixel = face.to_picture(np.array([point]))[0]
        assert face.seen_at(pixel.astype(np.float32)) == pytest.approx(point, abs=0.01)


def test_faces_in_profile_or_upside_down_or_mirrored_have_no_map() -> None:
    assert turned(70) is None
    upside_down = (LANDMARKS * (1, -1) + (0, 160)).astype(np.float32)
    mirrored = (LANDMARKS * (-1, 1) + (160, 0)).astype(np.float32)
    assert FaceMap.from_landmarks(upside_down) is None
    assert FaceMap.from_landmarks(mirrored) is None
    assert FaceMap.from_landmarks(np.zeros((5, 2), np.float32)) is None


def test_paint_lies_where_the_canvas_says_and_nowhere_else() -> None:
    face = FaceMap.from_landmarks(LANDMARKS)
    assert face is not None
    canvas = Canvas(40, (-1, 1), (0, 2))
    canvas.colour[:] = (0, 255, 0)
    canvas.fill(canvas.alpha, [(-0.3, 0.9), (0.3, 0.9), (0.3, 1.3), (-0.3, 1.3)], 255)
    patch = plain_patch()
    before = patch.copy()
    painted = paint(patch, face, canvas, np.random.default_rng(0), shadow=0.0)
    assert (patch == before).all()
    changed = np.argwhere((painted != patch).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert 60 + 0.9 * 40 - 5 <= top <= 60 + 0.9 * 40 + 3
    assert 60 + 1.3 * 40 - 3 <= bottom <= 60 + 1.3 * 40 + 5
    assert 80 - 0.3 * 40 - 5 <= left <= right <= 80 + 0.3 * 40 + 5


def test_paint_outside_the_picture_changes_nothing() -> None:
    face = FaceMap.from_box((1000.0, 1000.0, 1100.0, 1130.0))
    canvas = Canvas(20, (-1, 1), (0, 2))
    canvas.alpha[:] = 255
    assert (paint(plain_patch(), face, canvas, np.random.default_rng(0)) == plain_patch()).all()


def test_paint_is_darker_on_a_dark_face() -> None:
    face = FaceMap.from_landmarks(LANDMARKS)
    assert face is not None
    canvas = Canvas(40, (-1, 1), (0, 2))
    canvas.colour[:] = 200
    canvas.alpha[:] = 255
    dark, light = (
        paint(np.full((160, 160, 3), level, np.uint8), face, canvas, np.random.default_rng(0))[100, 80].mean()
        for level in (30, 180)
    )
    assert dark < 0.7 * light


def test_paint_on_a_grey_picture_is_grey() -> None:
    face = FaceMap.from_landmarks(LANDMARKS)
    assert face is not None
    canvas = Canvas(40, (-1, 1), (0, 2))
    canvas.colour[:] = (220, 40, 40)
    canvas.alpha[:] = 255
    spot = paint(np.full((160, 160, 3), 120, np.uint8), face, canvas, np.random.default_rng(0))[100, 80].astype(int)
    assert np.ptp(spot) <= 2


def test_skin_is_the_colour_of_the_cheeks() -> None:
    face = FaceMap.from_landmarks(LANDMARKS)
    assert face is not None
    assert (skin_bgr(plain_patch(), face) == plain_patch()[90, 80]).all()

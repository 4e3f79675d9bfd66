from __future__ import annotations

import numpy as np
import pytest

from maskwatch.arrays import Float32Array
from tests.support_faces import BOX, CHIN, LANDMARKS, MOUTH, NOSE, painted_at, plain_patch
from training.covers import cover_mouth, cover_top


def test_covers_hide_the_mouth_or_the_chin_of_most_faces() -> None:
    hidden = 0
    for seed in range(60):
        covered = cover_mouth(plain_patch(), LANDMARKS, np.random.default_rng(seed))
        assert covered.shape == plain_patch().shape
        hidden += any(painted_at(covered, (spot,)) for spot in MOUTH + CHIN)
    assert hidden > 45


@pytest.mark.parametrize("landmarks", [LANDMARKS, None])
def test_covers_of_the_upper_half_leave_nose_and_mouth(landmarks: Float32Array | None) -> None:
    for seed in range(40):
        covered = cover_top(plain_patch(), BOX, landmarks, np.random.default_rng(seed))
        assert (covered != plain_patch()).any()
        assert not any(painted_at(covered, (spot,)) for spot in NOSE + MOUTH + CHIN)


def test_mouth_of_a_profile_is_left_alone() -> None:
    profile = LANDMARKS.copy()
    profile[:, 0] = 80 + (profile[:, 0] - 80) * 0.2
    assert (cover_mouth(plain_patch(), profile, np.random.default_rng(0)) == plain_patch()).all()


def test_same_seed_gives_the_same_cover_and_the_picture_is_untouched() -> None:
    patch = plain_patch()
    first, again = (cover_mouth(patch, LANDMARKS, np.random.default_rng(9)) for _ in range(2))
    assert (first == again).all()
    first, again = (cover_top(patch, BOX, LANDMARKS, np.random.default_rng(9)) for _ in range(2))
    assert (first == again).all()
    assert (patch == plain_patch()).all()

from __future__ import annotations

import numpy as np
import pytest

from tests.support_faces import CHIN, EYES, LANDMARKS, MOUTH, NOSE, painted_at, plain_patch
from training.drawn import draw_mask
from training.fabric import Fabric, fabric_colour, fabric_look
from training.facemap import Canvas

SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_proper_mask_covers_nose_mouth_and_chin_and_leaves_the_eyes(seed: int) -> None:
    drawn = draw_mask(plain_patch(), LANDMARKS, False, np.random.default_rng(seed))
    assert drawn is not None
    assert painted_at(drawn, NOSE)
    assert painted_at(drawn, MOUTH)
    assert painted_at(drawn, CHIN)
    assert not any(painted_at(drawn, (eye,)) for eye in EYES)


@pytest.mark.parametrize("seed", SEEDS)
def test_wrong_mask_leaves_the_nose_or_the_mouth_free(seed: int) -> None:
    drawn = draw_mask(plain_patch(), LANDMARKS, True, np.random.default_rng(seed))
    assert drawn is not None
    assert (drawn != plain_patch()).any()
    assert not (painted_at(drawn, NOSE) and any(painted_at(drawn, (spot,)) for spot in MOUTH))


def test_wrong_masks_are_under_the_nose_on_the_chin_at_one_ear_and_too_high() -> None:
    places = set()
    for seed in range(60):
        drawn = draw_mask(plain_patch(), LANDMARKS, True, np.random.default_rng(seed))
        assert drawn is not None
        places.add(tuple(painted_at(drawn, part) for part in (NOSE, MOUTH, CHIN)))
    assert {(False, True, True), (False, False, True), (False, False, False), (True, False, False)} <= places


def test_same_seed_draws_the_same_mask_and_another_seed_another() -> None:
    first, again, other = (
        draw_mask(plain_patch(), LANDMARKS, False, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first is not None
    assert again is not None
    assert other is not None
    assert (first == again).all()
    assert (first != other).any()


def test_picture_is_untouched() -> None:
    patch = plain_patch()
    draw_mask(patch, LANDMARKS, False, np.random.default_rng(0))
    assert (patch == plain_patch()).all()


def test_no_mask_is_drawn_on_a_profile_or_where_the_mask_is_out_of_the_picture() -> None:
    rng = np.random.default_rng(0)
    profile = LANDMARKS.copy()
    profile[:, 0] = 80 + (profile[:, 0] - 80) * 0.2
    assert draw_mask(plain_patch(), profile, False, rng) is None
    assert draw_mask(plain_patch()[:90], LANDMARKS, False, rng) is None


def test_masks_have_soft_edges() -> None:
    steps = []
    for seed in SEEDS:
        drawn = draw_mask(plain_patch(), LANDMARKS, False, np.random.default_rng(seed))
        assert drawn is not None
        column = drawn[60:90, 80].astype(int)
        steps.append(np.abs(np.diff(column, axis=0)).max() / max(1, np.ptp(column, axis=0).max()))
    assert max(steps) < 0.8


@pytest.mark.parametrize("fabric", list(Fabric))
def test_fabrics_are_pictures_with_folds(fabric: Fabric) -> None:
    rng = np.random.default_rng(3)
    canvas = Canvas(30, (-1.5, 1.5), (-0.1, 2.7))
    outline = np.array([(-0.9, 0.4), (0.9, 0.4), (0.5, 1.9), (-0.5, 1.9)])
    look = fabric_look(canvas, fabric, fabric_colour(fabric, rng), outline, rng)
    assert look.shape == canvas.colour.shape
    assert look.dtype == np.uint8
    assert look.std() > 1


def test_cloth_comes_in_many_colours() -> None:
    rng = np.random.default_rng(0)
    colours = np.array([fabric_colour(Fabric.CLOTH, rng) for _ in range(200)])
    assert (colours.std(axis=0) > 40).all()
    assert (colours.max(axis=1) < 75).mean() > 0.2  # black is common

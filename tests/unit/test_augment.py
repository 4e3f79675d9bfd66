from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.support_faces import LANDMARKS, bare_sample
from training.augment import AUGMENTATIONS, augmented_face, plain_face
from training.samples import Sample

ALL = frozenset(AUGMENTATIONS)


def sample() -> Sample:
    """Return a masked face of noise without landmarks."""
    patch = np.random.default_rng(3).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    box = (20.0, 25.0, 50.0, 65.0)
    return Sample("train/a.jpg", "a", 0, "0" * 64, box, patch, box, single=False)


def test_augmented_faces_are_pictures_of_the_asked_size() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        face, label = augmented_face(sample(), 48, rng)
        assert label == 0
        assert face.shape == (48, 48, 3)
        assert face.dtype == np.uint8
        assert face.flags.c_contiguous


def test_same_seed_gives_the_same_face() -> None:
    for seed in range(20):
        (first, label), (second, again) = (
            augmented_face(bare_sample(), 48, np.random.default_rng(seed)) for _ in range(2)
        )
        assert (first == second).all()
        assert label == again


def test_faces_differ_from_one_another_and_the_sample_is_untouched() -> None:
    original, rng = sample(), np.random.default_rng(0)
    before = original.patch_bgr.copy()
    faces = [augmented_face(original, 32, rng)[0] for _ in range(20)]
    assert len({face.tobytes() for face in faces}) == 20
    assert (original.patch_bgr == before).all()


def test_plain_face_never_changes() -> None:
    assert (plain_face(sample(), 32) == plain_face(sample(), 32)).all()


def test_everything_off_is_the_plain_face() -> None:
    original = replace(bare_sample(), found_box=(30.0, 30.0, 110.0, 130.0))
    for seed in range(30):
        face, label = augmented_face(original, 48, np.random.default_rng(seed), ALL)
        assert (face == plain_face(original, 48)).all()
        assert label == original.label


@pytest.mark.parametrize("name", sorted(ALL - {"drawn_wrong"}))
def test_each_augmentation_alone_changes_faces(name: str) -> None:
    rng = np.random.default_rng(4)
    patch = rng.integers(0, 256, (160, 160, 3), dtype=np.uint8)
    original = replace(bare_sample(), patch_bgr=patch, found_box=(30.0, 30.0, 110.0, 130.0))
    plain = plain_face(original, 48)
    changed = [(augmented_face(original, 48, rng, ALL - {name})[0] != plain).any() for _ in range(60)]
    assert any(changed)


def test_bare_faces_get_masks_of_both_kinds_in_the_stated_shares() -> None:
    rng = np.random.default_rng(0)
    off = ALL - {"drawn_masks", "drawn_wrong"}
    labels = Counter(augmented_face(bare_sample(), 32, rng, off)[1] for _ in range(300))
    assert labels[1] / 300 == pytest.approx(0.65, abs=0.08)
    assert labels[0] / 300 == pytest.approx(0.175, abs=0.07)
    assert labels[2] / 300 == pytest.approx(0.175, abs=0.07)


def test_wrongly_worn_masks_can_be_switched_off_alone() -> None:
    rng = np.random.default_rng(0)
    labels = {augmented_face(bare_sample(), 32, rng, frozenset({"drawn_wrong"}))[1] for _ in range(100)}
    assert labels == {0, 1}


def test_without_drawn_masks_no_label_changes() -> None:
    rng = np.random.default_rng(0)
    assert {augmented_face(bare_sample(), 32, rng, frozenset({"drawn_masks"}))[1] for _ in range(100)} == {1}


@pytest.mark.parametrize("label", [0, 2])
def test_nothing_is_drawn_over_the_mouth_of_a_masked_face(label: int) -> None:
    original, rng = bare_sample(label), np.random.default_rng(0)
    plain = plain_face(original, 64)
    for _ in range(200):
        face, given = augmented_face(original, 64, rng, ALL - {"drawn_masks", "drawn_wrong", "covers"})
        assert given == label
        assert (face[40:] == plain[40:]).all()


def test_nothing_is_drawn_over_the_mouth_without_landmarks() -> None:
    original, rng = bare_sample(landmarks_xy=None), np.random.default_rng(0)
    plain = plain_face(original, 64)
    for _ in range(100):
        face, label = augmented_face(original, 64, rng, ALL - {"drawn_masks", "drawn_wrong", "covers"})
        assert label == 1
        assert (face[40:] == plain[40:]).all()


def test_half_of_the_faces_are_cut_by_the_detectors_box() -> None:
    rng = np.random.default_rng(0)
    patch = rng.integers(0, 256, (160, 160, 3), dtype=np.uint8)
    original = replace(bare_sample(landmarks_xy=None), patch_bgr=patch, found_box=(30.0, 30.0, 110.0, 130.0))
    by_detector = plain_face(replace(original, patch_box=original.found_box or original.patch_box), 32)
    faces = [augmented_face(original, 32, rng, ALL - {"found_boxes"})[0] for _ in range(200)]
    assert np.mean([(face == by_detector).all() for face in faces]) == pytest.approx(0.5, abs=0.1)
    assert all((face == by_detector).all() or (face == plain_face(original, 32)).all() for face in faces)


def test_erasing_leaves_the_nose_and_the_mouth() -> None:
    original, rng = bare_sample(landmarks_xy=None), np.random.default_rng(0)
    plain = plain_face(original, 64)
    for _ in range(300):
        face, _ = augmented_face(original, 64, rng, ALL - {"erase"})
        assert (face[30:, 17:47] == plain[30:, 17:47]).all()


def test_landmarks_are_not_moved() -> None:
    before = LANDMARKS.copy()
    for seed in range(30):
        augmented_face(bare_sample(), 32, np.random.default_rng(seed))
    assert (before == LANDMARKS).all()

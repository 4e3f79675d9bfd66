from __future__ import annotations

import numpy as np

from training.augment import augmented_face, plain_face
from training.samples import Sample


def sample() -> Sample:
    patch = np.random.default_rng(3).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    box = (20.0, 25.0, 50.0, 65.0)
    return Sample("train/a.jpg", "a", 0, "0" * 64, box, patch, box, single=False)


def test_augmented_faces_are_pictures_of_the_asked_size() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        face, _ = augmented_face(sample(), 48, rng)
        assert face.shape == (48, 48, 3)
        assert face.dtype == np.uint8
        assert face.flags.c_contiguous


def test_same_seed_gives_the_same_face() -> None:
    first, second = (augmented_face(sample(), 48, np.random.default_rng(5))[0] for _ in range(2))
    assert (first == second).all()


def test_faces_differ_from_one_another_and_the_sample_is_untouched() -> None:
    original, rng = sample(), np.random.default_rng(0)
    before = original.patch_bgr.copy()
    faces = [augmented_face(original, 32, rng)[0] for _ in range(20)]
    assert len({face.tobytes() for face in faces}) == 20
    assert (original.patch_bgr == before).all()


def test_plain_face_never_changes() -> None:
    assert (plain_face(sample(), 32) == plain_face(sample(), 32)).all()

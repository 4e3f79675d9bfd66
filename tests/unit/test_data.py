from __future__ import annotations

import hashlib

import numpy as np
import pytest

from maskwatch.errors import ConfigError
from training.data import split_data
from training.samples import Sample

PATCH = np.zeros((4, 4, 3), np.uint8)
BOX = (0.0, 0.0, 4.0, 4.0)


def sample(name: str, source: str = "web", look: int | None = None, label: int = 0) -> Sample:
    """A face of a picture called `name` that looks like every other one with the same `look`."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") if look is None else look
    return Sample(
        f"train/{name}",
        source,
        label,
        hashlib.sha256(name.encode()).hexdigest(),
        BOX,
        PATCH,
        BOX,
        single=True,
        picture_hash=np.random.default_rng(seed).bytes(64),
    )


def names(samples: list[Sample]) -> set[str]:
    return {one.file.removeprefix("train/") for one in samples}


def test_near_duplicate_of_a_measured_picture_is_not_learned_from() -> None:
    data = split_data([sample("a", look=1), sample("b", look=2)], [sample("c", look=1)])
    assert names(data.train) == {"b"}
    assert names(data.val) == {"c"}
    assert names(data.dropped) == {"a"}
    assert data.dropped[0].cluster == data.val[0].cluster >= 0


def test_same_file_in_both_is_dropped_whatever_its_hash() -> None:
    data = split_data([sample("a", look=1)], [sample("a", look=2)])
    assert data.train == []
    assert len(data.dropped) == 1


def test_held_back_pictures_take_their_copies_with_them() -> None:
    faces = [sample(f"{number}-{copy}", look=number) for number in range(300) for copy in range(2)]
    data = split_data(faces, [])
    assert len(data.train) + len(data.val) == 600
    assert 60 < len(data.val) < 130
    assert data.dropped == []
    assert not {one.cluster for one in data.train} & {one.cluster for one in data.val}
    assert names(split_data(faces[::-1], []).val) == names(data.val)


def test_source_that_is_left_out_is_neither_learned_from_nor_chosen_by() -> None:
    train = [sample("a"), sample("b", "other"), sample("copy", look=7)]
    data = split_data(train, [sample("c"), sample("d", "other", look=7)], ["other"])
    assert names(data.train) == {"a"}
    assert names(data.val) == {"c"}
    assert names(data.left_out) == {"b", "d"}
    assert names(data.dropped) == {"copy"}


def test_source_that_does_not_occur_is_an_error_that_names_those_that_do() -> None:
    with pytest.raises(ConfigError, match="--leave-out moon: no such source; expected one of other, web"):
        split_data([sample("a"), sample("b", "other")], [], ["moon"])

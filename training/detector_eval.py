"""How many faces a detector finds, and how often it sees one where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from maskwatch.arrays import Float32Array
from maskwatch.types import LABELS, Detection, Profile
from models.detectors.base import DETECTORS, Detector, load_detector
from models.manifest import EngineName
from models.registry import Registry
from training.detector_data import Scene, read_scenes

__all__ = ["DetectionScores", "evaluate_detector", "find_in_scenes", "format_table", "score_detections"]

MIN_FACE_PX = 24
"""Smaller faces are labelled by guess; they count neither as found nor as missed nor as false."""

_BATCH = 8


@dataclass(frozen=True, slots=True)
class DetectionScores:
    """Figures of one detector at one profile and threshold.

    Attributes:
        profile: the detector's profile.
        min_score: lowest score that counts.
        min_overlap: intersection over union from which a face counts as found.
        pictures: number of pictures.
        faces: labelled faces of at least `MIN_FACE_PX` by label.
        recall: share of them that were found, by label.
        false_positives: detections a picture that are no labelled face, of at least `MIN_FACE_PX`.
    """

    profile: str
    min_score: float
    min_overlap: float
    pictures: int
    faces: dict[str, int]
    recall: dict[str, float]
    false_positives: float

    @property
    def mean_recall(self) -> float:
        """Return the mean of the labels' recalls, each label counting the same."""
        return float(np.mean(list(self.recall.values())))


def find_in_scenes(
    detector: Detector, scenes: Sequence[Scene], profile: Profile, min_score: float
) -> list[tuple[Detection, ...]]:
    """Run a detector over scenes in batches; one entry a scene."""
    found: list[tuple[Detection, ...]] = []
    for start in range(0, len(scenes), _BATCH):
        frames = [scene.read_bgr() for scene in scenes[start : start + _BATCH]]
        found += detector.detect(frames, profile, min_score=min_score)
    return found


def score_detections(
    scenes: Sequence[Scene],
    found: Sequence[Sequence[Detection]],
    profile: Profile,
    min_score: float,
    min_overlap: float = 0.35,
) -> DetectionScores:
    """Compare detections with labels; each label takes the best detection that no better pair has taken."""
    hits = {label.value: [0, 0] for label in LABELS}
    false = 0
    for scene, detections in zip(scenes, found, strict=True):
        boxes = np.array([one.box_xyxy for one in detections if one.score >= min_score], np.float32).reshape(-1, 4)
        pairs = _match(scene.boxes_xyxy, boxes, min_overlap)
        for index, (box, category) in enumerate(zip(scene.boxes_xyxy, scene.labels, strict=True)):
            if _shorter_side(box) >= MIN_FACE_PX:
                tally = hits[LABELS[category - 1].value]
                tally[0] += index in pairs
                tally[1] += 1
        taken = set(pairs.values())
        false += sum(index not in taken and _shorter_side(box) >= MIN_FACE_PX for index, box in enumerate(boxes))
    return DetectionScores(
        profile.value,
        min_score,
        min_overlap,
        len(scenes),
        {label: total for label, (_, total) in hits.items()},
        {label: round(hit / max(total, 1), 4) for label, (hit, total) in hits.items()},
        round(false / max(len(scenes), 1), 4),
    )


def evaluate_detector(
    detector: Detector,
    scenes: Sequence[Scene],
    profiles: Iterable[Profile] = tuple(Profile),
    min_scores: Sequence[float] = (0.3, 0.5, 0.6),
    min_overlap: float = 0.35,
) -> list[DetectionScores]:
    """Measure a detector at several thresholds; the network runs once a profile.

    Args:
        detector: any detector.
        scenes: from `read_scenes`; categories 1, 2, 3 in the order of `LABELS`.
        profiles: which profiles to measure.
        min_scores: thresholds to report.
        min_overlap: intersection over union from which a face counts as found.
    """
    rows = []
    for profile in profiles:
        found = find_in_scenes(detector, scenes, profile, min(min_scores))
        rows += [score_detections(scenes, found, profile, score, min_overlap) for score in min_scores]
    return rows


def format_table(rows: Sequence[DetectionScores]) -> str:
    """Lay out scores as a Markdown table."""
    names = [label.value for label in LABELS]
    lines = [
        f"| profile | score | IoU | {' | '.join(names)} | false positives a picture |",
        "| --- | --: | --: |" + " --: |" * (len(names) + 1),
    ]
    for row in rows:
        shares = " | ".join(f"{row.recall[name]:.3f}" for name in names)
        lines.append(
            f"| {row.profile} | {row.min_score:g} | {row.min_overlap:g} | {shares} | {row.false_positives:.2f} |"
        )
    return "\n".join(lines)


def _shorter_side(box: Float32Array) -> float:
    return float(min(box[2] - box[0], box[3] - box[1]))


def _match(labels: Float32Array, boxes: Float32Array, min_overlap: float) -> dict[int, int]:
    """Pair labels with boxes one to one, best overlap first; return box by label."""
    if len(labels) == 0 or len(boxes) == 0:
        return {}
    sides = np.minimum(labels[:, None, 2:], boxes[:, 2:]) - np.maximum(labels[:, None, :2], boxes[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=2)
    areas = np.prod(labels[:, 2:] - labels[:, :2], axis=1)[:, None] + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    overlap = shared / np.maximum(areas - shared, 1e-6)
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for flat in np.argsort(-overlap, axis=None):
        label, box = divmod(int(flat), len(boxes))
        if overlap[label, box] < min_overlap:
            break
        if label not in pairs and box not in taken:
            pairs[label] = box
            taken.add(box)
    return pairs


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="COCO file beside a folder of its name.")
@click.option("--detector", type=click.Choice(DETECTORS), default=DETECTORS[0], show_default=True)
@click.option("--engine", type=click.Choice([name.value for name in EngineName]), default="litert", show_default=True)
@click.option("--models", type=click.Path(path_type=Path), default=None, help="Folder of models; default: the shipped.")
@click.option("--score", "scores", type=float, multiple=True, default=(0.3, 0.5, 0.6), show_default=True)
@click.option("--overlap", type=float, default=0.35, show_default=True, help="IoU from which a face counts as found.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(
    data: Path,
    detector: str,
    engine: str,
    models: Path | None,
    scores: tuple[float, ...],
    overlap: float,
    as_json: bool,
) -> None:
    """Print recall by label and false positives of a detector on labelled scenes."""
    loaded = load_detector(detector, engine, registry=Registry(models))
    rows = evaluate_detector(loaded, read_scenes(data), min_scores=scores, min_overlap=overlap)
    if as_json:
        import json

        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        click.echo(format_table(rows))


if __name__ == "__main__":
    main()

"""How many faces a detector finds, and how often it sees one where there is none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from maskwatch.labelled.unboxed import read_unboxed
from maskwatch.types import DETECTORS, LABELS, Detection, Profile
from models.detectors.base import Detector, load_detector
from models.manifest import EngineName
from models.registry import Registry
from models.scores import MAIN, JudgedPicture, false_positives, found_faces, pair
from training.commands import TrainingCommand
from training.detector_scenes import Scene, mark_unboxed, read_scenes

__all__ = ["DetectionScores", "evaluate_detector", "find_in_scenes", "format_table", "score_detections"]

_BATCH = 8


@dataclass(frozen=True, slots=True)
class DetectionScores:
    """Figures of one detector at one profile and threshold.

    Attributes:
        profile: the detector's profile.
        min_score: lowest score that counts.
        min_overlap: intersection over union from which a face counts as found.
        pictures: number of pictures.
        faces: labelled faces of at least `LEAST_PX` by label.
        recall: share of them that were found, by label.
        false_positives: detections a picture that are no labelled face, of at least `LEAST_PX`.
        false_positives_unboxed_removed: the same without those on a scene's ignored places.
    """

    profile: str
    min_score: float
    min_overlap: float
    pictures: int
    faces: dict[str, int]
    recall: dict[str, float]
    false_positives: float
    false_positives_unboxed_removed: float

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
    """Compare detections with labels as `maskwatch evaluate` does, without the intervals that it works out."""
    pairs = pair(
        [_judged(scene, detections, min_score) for scene, detections in zip(scenes, found, strict=True)], min_overlap
    )
    counts, hits = MAIN.holds(pairs.face_px), found_faces(pairs, min_score)
    faces = np.bincount(pairs.face_label[counts], minlength=len(LABELS))
    found_of = np.bincount(pairs.face_label[counts & hits], minlength=len(LABELS))
    false = false_positives(pairs, min_score, MAIN)
    return DetectionScores(
        profile.value,
        min_score,
        min_overlap,
        len(scenes),
        {label.value: int(faces[at]) for at, label in enumerate(LABELS)},
        {label.value: round(float(found_of[at] / max(faces[at], 1)), 4) for at, label in enumerate(LABELS)},
        round(int(false.sum()) / max(len(scenes), 1), 4),
        round(int((false & ~pairs.found_unboxed).sum()) / max(len(scenes), 1), 4),
    )


def _judged(scene: Scene, detections: Sequence[Detection], min_score: float) -> JudgedPicture:
    """Put labels and the detections that count side by side; nobody was asked about labels."""
    kept = [one for one in detections if one.score >= min_score]
    return JudgedPicture(
        name=scene.path.name,
        source="",
        boxes_xyxy=scene.boxes_xyxy,
        labels=np.array([LABELS.index(label) for label in scene.labels], np.int32),
        probabilities=np.zeros((len(scene.labels), len(LABELS)), np.float32),
        found_xyxy=np.array([one.box_xyxy for one in kept], np.float32).reshape(-1, 4),
        scores=np.array([one.score for one in kept], np.float32),
        said=np.full((len(kept), len(LABELS)), np.nan, np.float32),
        unboxed_xyxy=scene.ignore_xyxy,
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
        scenes: from `read_scenes`.
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
        f"| profile | score | IoU | {' | '.join(names)} | false positives a picture | unboxed faces removed |",
        "| --- | --: | --: |" + " --: |" * (len(names) + 2),
    ]
    for row in rows:
        shares = " | ".join(f"{row.recall[name]:.3f}" for name in names)
        lines.append(
            f"| {row.profile} | {row.min_score:g} | {row.min_overlap:g} | {shares} | {row.false_positives:.3f} "
            f"| {row.false_positives_unboxed_removed:.3f} |"
        )
    return "\n".join(lines)


@click.command(cls=TrainingCommand)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Scenes, e.g. scenes/val.")
@click.option("--detector", type=click.Choice(DETECTORS), default=DETECTORS[0], show_default=True)
@click.option("--engine", type=click.Choice([name.value for name in EngineName]), default="litert", show_default=True)
@click.option("--models", type=click.Path(path_type=Path), help="Folder of models; default: the shipped.")
@click.option("--score", "scores", type=float, multiple=True, default=(0.3, 0.5, 0.6), show_default=True)
@click.option("--overlap", type=float, default=0.35, show_default=True, help="IoU from which a face counts as found.")
@click.option("--unboxed", type=click.Path(path_type=Path), help="List of faces that nobody labelled.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(
    data: Path,
    detector: str,
    engine: str,
    models: Path | None,
    scores: tuple[float, ...],
    overlap: float,
    unboxed: Path | None,
    as_json: bool,
) -> None:
    """Print recall by label and false positives of a detector on labelled scenes."""
    loaded = load_detector(detector, engine, registry=Registry(models))
    scenes = read_scenes(data)
    if unboxed is not None:
        mark_unboxed(scenes, [read_unboxed(unboxed)])
    rows = evaluate_detector(loaded, scenes, min_scores=scores, min_overlap=overlap)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        click.echo(format_table(rows))


if __name__ == "__main__":
    main()

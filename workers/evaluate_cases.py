"""What went wrong, face by face: a table for programs and contact sheets for eyes."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from maskwatch.arrays import Float32Array, UInt8Array
from maskwatch.errors import ConfigError
from maskwatch.media import read_image
from maskwatch.types import LABELS
from models.scores import MAIN, JudgedPicture, pair

__all__ = ["Case", "CaseKind", "find_cases", "write_cases"]

_TILE_PX = 160
_COLUMNS = 8
_ROWS = 8
_AROUND = 2.2  # side of a tile over the longer side of the box
_DRAWN, _FOUND, _TEXT = (80, 220, 80), (60, 120, 255), (255, 255, 255)


class CaseKind(StrEnum):
    """What went wrong."""

    MISSED = "missed"
    FALSE = "false"
    MISLABELLED = "mislabelled"


@dataclass(frozen=True, slots=True)
class Case:
    """One face that was missed, seen where no label is, or labelled otherwise; a row of `cases.csv`.

    Attributes:
        kind: what went wrong.
        picture: name of the file.
        source: where it came from.
        left: of the box, in pixels of the picture; of the labelled one unless it is a false positive.
        top: of it.
        right: of it.
        bottom: of it.
        label: what the person said; empty for a false positive.
        said: what the classifier said of this box.
        probability: of what it said.
        score: of the detection; the best below the threshold that overlaps a missed face; empty where there is none.
        unboxed: whether a false positive is listed as a face that nobody labelled.
    """

    kind: CaseKind
    picture: str
    source: str
    left: float
    top: float
    right: float
    bottom: float
    label: str
    said: str
    probability: float
    score: float | str
    unboxed: bool


def find_cases(pictures: Sequence[JudgedPicture], threshold: float, min_overlap: float) -> list[Case]:
    """List what went wrong with the faces that count, picture by picture.

    Args:
        pictures: as judged.
        threshold: lowest score of a detection that counts.
        min_overlap: intersection over union from which a face counts as found.
    """
    return [case for one in pictures for case in _cases_of(one, threshold, min_overlap)]


def _cases_of(one: JudgedPicture, threshold: float, min_overlap: float) -> Iterator[Case]:
    pairs = pair([one], min_overlap)
    for at in np.flatnonzero(MAIN.holds(pairs.face_px)):
        found, label = int(pairs.face_found[at]), int(one.labels[at])
        score = round(float(one.scores[found]), 3) if found >= 0 else ""
        if found < 0 or one.scores[found] < threshold:
            yield _case(one, CaseKind.MISSED, one.boxes_xyxy[at], label, one.probabilities[at], score)
        if int(one.probabilities[at].argmax()) != label:
            yield _case(one, CaseKind.MISLABELLED, one.boxes_xyxy[at], label, one.probabilities[at], score)
    for at in np.flatnonzero((pairs.found_face < 0) & (one.scores >= threshold) & MAIN.holds(pairs.found_px)):
        score = round(float(one.scores[at]), 3)
        listed = bool(pairs.found_unboxed[at])
        yield _case(one, CaseKind.FALSE, one.found_xyxy[at], None, one.said[at], score, listed)


def _case(
    one: JudgedPicture, kind: CaseKind, box: Float32Array, label: int | None, chances: Float32Array,
    score: float | str, unboxed: bool = False,
) -> Case:  # fmt: skip
    left, top, right, bottom = (round(float(side), 1) for side in box)
    said = int(chances.argmax())
    return Case(
        kind, one.name, one.source, left, top, right, bottom, "" if label is None else LABELS[label].value,
        LABELS[said].value, round(float(chances[said]), 3), score, unboxed,
    )  # fmt: skip


def write_cases(folder: Path, cases: Sequence[Case], paths: Mapping[str, Path]) -> list[Path]:
    """Write `cases.csv` and, for each kind, contact sheets `KIND-N.png`.

    Args:
        folder: made if it isn't there; files of these names are replaced.
        cases: all of them.
        paths: of the pictures, by file name.

    Returns:
        What was written.

    Raises:
        ConfigError: if the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        table = folder / "cases.csv"
        with table.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(field.name for field in fields(Case))
            writer.writerows(astuple(case) for case in cases)
    except OSError as error:
        raise ConfigError(f"--cases {folder}: can't be written ({error.strerror}); give another folder") from error
    written = [table]
    for kind in CaseKind:
        chosen = [case for case in cases if case.kind is kind]
        for start in range(0, len(chosen), _COLUMNS * _ROWS):
            path = folder / f"{kind}-{start // (_COLUMNS * _ROWS) + 1}.png"
            sheet = _sheet(chosen[start : start + _COLUMNS * _ROWS], paths)
            path.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
            written.append(path)
    return written


def _sheet(cases: Sequence[Case], paths: Mapping[str, Path]) -> UInt8Array:
    """Draw cases row by row; (h, w, 3) uint8 BGR."""
    columns = min(_COLUMNS, len(cases))
    sheet = np.zeros((-(-len(cases) // columns) * _TILE_PX, columns * _TILE_PX, 3), np.uint8)
    for place, case in enumerate(cases):
        y, x = (_TILE_PX * part for part in divmod(place, columns))
        sheet[y : y + _TILE_PX, x : x + _TILE_PX] = _tile(case, read_image(paths[case.picture]))
    return sheet


def _tile(case: Case, picture_bgr: UInt8Array) -> UInt8Array:
    """Show a box and what is around it."""
    side = _AROUND * max(case.right - case.left, case.bottom - case.top)
    scale = _TILE_PX / side
    origin = np.array([(case.left + case.right - side) / 2, (case.top + case.bottom - side) / 2])
    shift = np.array([[scale, 0, -origin[0] * scale], [0, scale, -origin[1] * scale]])
    tile = np.asarray(cv2.warpAffine(picture_bgr, shift, (_TILE_PX, _TILE_PX), flags=cv2.INTER_AREA), np.uint8)
    corners = (np.array([[case.left, case.top], [case.right, case.bottom]]) - origin) * scale
    (x1, y1), (x2, y2) = corners.round().astype(int).tolist()
    cv2.rectangle(tile, (x1, y1), (x2, y2), _FOUND if case.kind is CaseKind.FALSE else _DRAWN, 1)
    first = f"{case.label or ('unboxed' if case.unboxed else 'nobody')} {case.score}"
    for row, text in ((12, first), (_TILE_PX - 5, f"{case.said} {case.probability:.2f}")):
        cv2.putText(tile, text, (3, row), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(tile, text, (3, row), cv2.FONT_HERSHEY_SIMPLEX, 0.38, _TEXT, 1, cv2.LINE_AA)
    return tile

"""What `detect` found, as JSON, CSV and a table."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from maskwatch.errors import SourceError
from maskwatch.types import LABELS, FrameResult, FrameStatus, Person, Verdict
from workers.inputs import Input

__all__ = ["CSV_COLUMNS", "Finding", "Timeline", "TimelineMark", "person_as_dict", "table"]

CSV_COLUMNS = ("time_s", "frame", "track", "x0", "y0", "x1", "y1", "label", "verdict", "probability", "seen")


@dataclass(slots=True)
class Finding:
    """The outcome of one input.

    Attributes:
        shown: the input, without credentials.
        kind: image, video or stream.
        frames: analysed pictures.
        frames_with_people: those with somebody in them.
        duration_s: media time of the last one.
        people: people by their final verdict; each counts once.
        seen: of a picture: who is in it.
        files: what was written.
        error: why it ended early or not at all; empty when all went well.
    """

    shown: str
    kind: str
    frames: int = 0
    frames_with_people: int = 0
    duration_s: float = 0.0
    people: Counter[Verdict] = field(default_factory=Counter)
    seen: list[dict[str, Any]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    error: str = ""

    def add(self, result: FrameResult, time_s: float) -> None:
        """Count one analysed frame."""
        self.frames += 1
        self.frames_with_people += bool(result.people)
        self.duration_s = time_s
        self.people.update(result.closed)

    def summary(self) -> dict[str, Any]:
        """Return the counts; `compliance` is the share of with_mask among known verdicts, None without any."""
        known = sum(count for verdict, count in self.people.items() if verdict is not Verdict.UNKNOWN)
        return {
            "frames": self.frames,
            "frames_with_people": self.frames_with_people,
            "duration_s": round(self.duration_s, 3),
            "people": sum(self.people.values()),
            "people_by_verdict": {verdict.value: self.people[verdict] for verdict in Verdict},
            "compliance": round(self.people[Verdict.WITH_MASK] / known, 4) if known else None,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, for `--json`."""
        item: dict[str, Any] = {"input": self.shown, "kind": self.kind, "summary": self.summary()}
        if self.kind == "image":
            item["people"] = self.seen
        return item | {"files": self.files, "error": self.error or None}


def person_as_dict(person: Person, size_wh: tuple[int, int]) -> dict[str, Any]:
    """Return one person of a frame, with the box in pixels."""
    probabilities = {label.value: round(value, 4) for label, value in zip(LABELS, person.probabilities, strict=False)}
    return {
        "track": person.track_id,
        "box_xyxy": _box_px(person, size_wh),
        "score": round(person.score, 4),
        "label": person.label.value if person.label else None,
        "probabilities": probabilities or None,
        "verdict": person.verdict.value,
        "seen": person.seen,
    }


def _box_px(person: Person, size_wh: tuple[int, int]) -> list[float]:
    return [round(value * side, 1) for value, side in zip(person.box_unit, size_wh * 2, strict=True)]


@dataclass(frozen=True, slots=True)
class TimelineMark:
    """How far the files of a timeline were written, all of it on the disk.

    Attributes:
        frames: that are in them.
        json_bytes: length of the JSON file.
        csv_bytes: length of the CSV file.
    """

    frames: int
    json_bytes: int
    csv_bytes: int


class Timeline:
    """Writes `<stem>.json` and `<stem>.csv` frame by frame, so that hours of video need no memory; a context manager.

    Args:
        folder: where to; files of the same name are replaced.
        stem: of the files.
        about: what the JSON file says first.
        at: where to go on with the files of an earlier run, whatever that wrote behind it; None begins anew.

    Raises:
        SourceError: if a file can't be written.
    """

    def __init__(self, folder: Path, stem: str, about: dict[str, Any], at: TimelineMark | None = None) -> None:
        self.json_path, self.csv_path = folder / f"{stem}.json", folder / f"{stem}.csv"
        mode = "w" if at is None else "a"
        try:
            if at is not None:
                os.truncate(self.json_path, at.json_bytes)
                os.truncate(self.csv_path, at.csv_bytes)
            self._json = self.json_path.open(mode, encoding="utf-8")
            self._csv = self.csv_path.open(mode, encoding="utf-8", newline="")
        except OSError as error:
            raise _failed(error.filename, error) from error
        self._rows = csv.writer(self._csv, lineterminator="\n")
        self._frames = at.frames if at is not None else 0
        if at is None:
            with _writing(self.csv_path):
                self._rows.writerow(CSV_COLUMNS)
            with _writing(self.json_path):
                self._json.write(json.dumps(about, indent=1)[:-2] + ',\n "frames": [')

    def mark(self) -> TimelineMark:
        """Bring all that was added to the disk and return how far that is.

        Raises:
            SourceError: if it can't be written.
        """
        lengths = []
        for path, file in ((self.json_path, self._json), (self.csv_path, self._csv)):
            with _writing(path):
                file.flush()
                os.fsync(file.fileno())
                lengths.append(os.fstat(file.fileno()).st_size)
        return TimelineMark(self._frames, *lengths)

    def add(self, result: FrameResult, time_s: float) -> None:
        """Append one frame.

        Raises:
            SourceError: if it can't be written, e.g. because the disk is full.
        """
        people = [person_as_dict(person, result.size_wh) for person in result.people]
        frame: dict[str, Any] = {"frame": self._frames, "time_s": round(time_s, 3), "people": people}
        if result.status is not FrameStatus.OK:
            frame |= {"status": result.status.value, "note": result.note}
        with _writing(self.json_path):
            self._json.write(("," if self._frames else "") + "\n  " + json.dumps(frame))
        for person, row in zip(result.people, people, strict=True):
            probability = round(max(person.probabilities), 4) if person.probabilities else ""
            with _writing(self.csv_path):
                self._rows.writerow([
                    frame["time_s"], self._frames, person.track_id, *row["box_xyxy"], row["label"] or "",
                    row["verdict"], probability, int(person.seen),
                ])  # fmt: skip
        self._frames += 1

    def finish(self, finding: Finding) -> None:
        """Write what is known at the end, and close.

        Raises:
            SourceError: if it can't be written.
        """
        with _writing(self.json_path):
            self._json.write("\n ],\n")
            self._json.write(
                f' "summary": {json.dumps(finding.summary())},\n "error": {json.dumps(finding.error or None)}\n}}\n'
            )
        self.close()

    def close(self) -> None:
        """Close both files; repeated calls change nothing.

        Raises:
            SourceError: if what was added last can't be written.
        """
        try:
            with _writing(self.json_path):
                self._json.close()
        finally:
            with _writing(self.csv_path):
                self._csv.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        # What went wrong first is told, not that the end of these files is missing as well.
        with suppress(SourceError) if error is not None else nullcontext():
            self.close()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _failed(path, error) from error


def _failed(path: Path | str, error: OSError) -> SourceError:
    return SourceError(f"{path}: can't be written: {error.strerror}")


def about(one: Input, **settings: str | float | int | None) -> dict[str, Any]:
    """Return what a JSON file says first."""
    return {"input": one.shown, "kind": one.kind.value, **settings}


def table(findings: Sequence[Finding]) -> Iterable[str]:
    """Yield the lines of a short table: an input a line, people by verdict."""
    width = max([5, *(len(finding.shown) for finding in findings)])
    width = min(width, 60)
    columns = [verdict.value for verdict in Verdict]
    yield f"{'input':<{width}}  {'frames':>7}  {'people':>6}  " + "  ".join(columns)
    for finding in findings:
        name = finding.shown if len(finding.shown) <= width else "..." + finding.shown[3 - width :]
        counts = "  ".join(f"{finding.people[verdict]:>{len(verdict.value)}}" for verdict in Verdict)
        note = "  stopped early" if finding.error and finding.frames else "  failed" if finding.error else ""
        yield f"{name:<{width}}  {finding.frames:>7}  {sum(finding.people.values()):>6}  {counts}{note}"

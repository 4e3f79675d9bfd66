"""Who was in a video: each person with the time of coming and going and the verdict."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwatch.errors import JobError
from maskwatch.types import FrameResult, Verdict

__all__ = ["PEOPLE_COLUMNS", "People", "Stay", "write_people"]

PEOPLE_COLUMNS = ("input", "person", "from_s", "to_s", "pictures", "verdict")


@dataclass(slots=True)
class Stay:
    """One person in one video.

    Attributes:
        from_s: media time of the first picture in which the person is known.
        to_s: of the last.
        pictures: in how many.
        verdict: the last one.
    """

    from_s: float
    to_s: float
    pictures: int
    verdict: Verdict


class People:
    """All of one video, by the number that stands beside them in it."""

    def __init__(self) -> None:
        self.stays: dict[int, Stay] = {}

    def add(self, result: FrameResult, time_s: float) -> None:
        """Note who is in a picture."""
        for person in result.people:
            stay = self.stays.get(person.track_id)
            if stay is None:
                self.stays[person.track_id] = Stay(time_s, time_s, 1, person.verdict)
            else:
                stay.to_s, stay.pictures, stay.verdict = time_s, stay.pictures + 1, person.verdict

    def present(self, from_s: float, to_s: float) -> Counter[Verdict]:
        """Return how many people with which verdict were there at some time of a span."""
        return Counter(stay.verdict for stay in self.stays.values() if stay.from_s < to_s and stay.to_s >= from_s)

    def as_list(self) -> list[list[Any]]:
        """Return it as JSON's values."""
        return [
            [number, round(stay.from_s, 3), round(stay.to_s, 3), stay.pictures, stay.verdict.value]
            for number, stay in self.stays.items()
        ]

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]]) -> People:
        """Read what `as_list` gave.

        Raises:
            TypeError, ValueError: if it is something else.
        """
        people = cls()
        for number, from_s, to_s, pictures, verdict in rows:
            people.stays[int(number)] = Stay(float(from_s), float(to_s), int(pictures), Verdict(verdict))
        return people


def write_people(path: Path, inputs: Iterable[tuple[str, People]]) -> None:
    """Write a CSV file with a row for each person.

    Args:
        path: of the file.
        inputs: their names, and who was there.

    Raises:
        JobError: if it can't be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(PEOPLE_COLUMNS)
            for name, people in inputs:
                rows.writerows([_safe(name), *row] for row in people.as_list())
    except OSError as error:
        raise JobError(f"{path}: can't be written ({error.strerror}); is there room in jobs.dir?") from error


def _safe(name: str) -> str:
    """Keep a spreadsheet from taking somebody's file name for a formula."""
    return f"'{name}" if name[:1] in "=+-@\t" else name

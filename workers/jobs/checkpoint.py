"""Where a job about recorded material stands, on disk: what is done, and how far the video at hand is."""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from maskwatch.errors import JobError
from maskwatch.types import Verdict
from workers.findings import Finding, TimelineMark
from workers.jobs.people import People
from workers.recorded import Place

__all__ = ["Checkpoint", "VideoPlace"]

_NAME = "checkpoint.json"


@dataclass(slots=True)
class VideoPlace:
    """How far one video is.

    Attributes:
        place: of the source and the pipeline.
        finding: what was found so far.
        people: who was there so far.
        timeline: how far its files are, or None before the first picture.
        parts: finished parts of the annotated video.
        written: pictures that are due until now, see `Film`.
        size_wh: of the annotated video.
    """

    finding: Finding
    place: Place = field(default_factory=Place)
    people: People = field(default_factory=People)
    timeline: TimelineMark | None = None
    parts: int = 0
    written: int = 0
    size_wh: tuple[int, int] = (0, 0)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON's values."""
        place = self.place
        return {
            "finding": _finding_as_dict(self.finding),
            "place": [place.read, place.read_s, base64.b64encode(place.state).decode()],
            "people": self.people.as_list(),
            "timeline": None if self.timeline is None else asdict(self.timeline),
            "parts": self.parts,
            "written": self.written,
            "size_wh": list(self.size_wh),
        }

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> VideoPlace:
        """Read what `as_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: if it is something else.
        """
        read, read_s, state = data["place"]
        timeline = data["timeline"]
        return cls(
            _finding_of(data["finding"]),
            Place(int(read), read_s, base64.b64decode(state)),
            People.of(data["people"]),
            None if timeline is None else TimelineMark(**timeline),
            int(data["parts"]),
            int(data["written"]),
            (int(data["size_wh"][0]), int(data["size_wh"][1])),
        )


class Checkpoint:
    """The file of it, in the job's folder: replaced as a whole, so that a death leaves the last one.

    Args:
        folder: of the job.
        about: what has to be the same for work to go on, e.g. versions and what was asked for; JSON's values.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self._path = folder / _NAME
        self._about = json.loads(json.dumps(dict(about)))
        self.done: list[VideoPlace] = []
        """Inputs that are done, in order."""
        self.current: VideoPlace | None = None
        """The one at hand, where it was begun."""

    def load(self) -> bool:
        """Take over what an earlier run has left; False when there is nothing that this run can go on with."""
        try:
            data = json.loads(self._path.read_text("utf-8"))
            if data["about"] != self._about:
                return False
            done = [VideoPlace.read(one) for one in data["done"]]
            current = None if data["current"] is None else VideoPlace.read(data["current"])
        except (OSError, KeyError, TypeError, ValueError):
            return False
        self.done, self.current = done, current
        return True

    def save(self) -> None:
        """Write it.

        Raises:
            JobError: if it can't be written.
        """
        current = None if self.current is None else self.current.as_dict()
        data = {"about": self._about, "done": [one.as_dict() for one in self.done], "current": current}
        unfinished = self._path.with_suffix(".new")
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                json.dump(data, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, self._path)
        except OSError as error:
            raise JobError(f"{self._path}: can't be written ({error.strerror}); is there room in jobs.dir?") from error


def _finding_as_dict(finding: Finding) -> dict[str, Any]:
    return asdict(finding) | {"people": {verdict.value: count for verdict, count in finding.people.items()}}


def _finding_of(data: Mapping[str, Any]) -> Finding:
    people = Counter({Verdict(name): int(count) for name, count in data["people"].items()})
    return Finding(**{**data, "people": people})

"""What is asked for in a job about recorded material, checked by those who ask and by those who do it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskwatch.blobs import KEY_PATTERN
from maskwatch.errors import JobError
from maskwatch.types import DETECTORS, Profile

__all__ = ["MOST_EVERY", "UPLOAD_PREFIX", "VideoSpec", "clean_name"]

UPLOAD_PREFIX = "upload-"
"""How the keys of uploads begin: a job may not name another kept file, such as somebody's snapshot."""
MOST_EVERY = 10_000
_MOST_NAME = 120
_KEYS = frozenset({"input", "name", "every", "profile", "detector"})


@dataclass(frozen=True, slots=True)
class VideoSpec:
    """A job about recorded material.

    Attributes:
        upload: key of an upload in the blob store; empty where a path is given.
        path: of a file or folder on the machine of the jobs; empty for an upload.
        name: for people.
        every: of a video, one picture in so many.
        profile: how much work the detector is given.
        detector: what finds the faces.
    """

    upload: str = ""
    path: str = ""
    name: str = ""
    every: int = 1
    profile: Profile = Profile.ACCURATE
    detector: str = "maskwatch"

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> VideoSpec:
        """Read a spec such as `{"input": {"upload": KEY}, "name": "door.mp4", "every": 1}`.

        Raises:
            JobError: if it is none; says which key, what was expected and what came.
        """
        unknown = sorted(set(spec) - _KEYS)
        if unknown:
            raise JobError(f"unknown key {unknown[0]!r}; expected {', '.join(sorted(_KEYS))}")
        given = spec.get("input")
        if not isinstance(given, Mapping) or set(given) not in ({"upload"}, {"path"}):
            raise JobError('input: expected {"upload": KEY} or {"path": PATH}')
        upload, path = str(given.get("upload", "")), str(given.get("path", ""))
        if not path and not (upload.startswith(UPLOAD_PREFIX) and KEY_PATTERN.fullmatch(upload)):
            raise JobError(f"input: expected a path, or the key of an upload ({UPLOAD_PREFIX}...)")
        every = spec.get("every", 1)
        if not isinstance(every, int) or isinstance(every, bool) or not 1 <= every <= MOST_EVERY:
            raise JobError(f"every: expected a whole number from 1 to {MOST_EVERY}, received {str(every)[:20]!r}")
        profile, detector = spec.get("profile", Profile.ACCURATE.value), spec.get("detector", DETECTORS[0])
        if profile not in list(Profile):
            raise JobError(f"profile: expected {' or '.join(Profile)}, received {str(profile)[:20]!r}")
        if detector not in DETECTORS:
            raise JobError(f"detector: expected one of {', '.join(DETECTORS)}, received {str(detector)[:20]!r}")
        name = clean_name(str(spec.get("name") or path or upload))
        return cls(upload, path, name, every, Profile(profile), str(detector))

    def as_dict(self) -> dict[str, Any]:
        """Return it as `read` takes it."""
        given = {"path": self.path} if self.path else {"upload": self.upload}
        return {
            "input": given, "name": self.name, "every": self.every, "profile": self.profile.value,
            "detector": self.detector,
        }  # fmt: skip


def clean_name(name: str) -> str:
    """Return a name that somebody gave to a file as it may be shown: its last part, printable, of bounded length."""
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    shown = "".join(character for character in last if character.isprintable()).strip()
    return shown[-_MOST_NAME:] or "unnamed"

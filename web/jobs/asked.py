"""What is asked for in a new job, from an address, a form or JSON alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from maskwatch.errors import JobError
from maskwatch.jobs.spec import UPLOAD_PREFIX, VideoSpec, clean_name
from maskwatch.jobs.types import JobKind, JobState
from maskwatch.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from web.asked import AskedWrong, shown_received

__all__ = ["SUFFIXES", "WISHES", "checked_name", "named_spec", "one_of", "upload_spec"]

WISHES = ("every", "profile", "detector")
"""How recorded material is looked at; each may be left out."""

SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES
"""Of what is looked at; what a file really is shows when it is decoded, not here."""


def checked_name(name: str | None) -> str:
    """Return the name of an uploaded file as it may be shown.

    Raises:
        AskedWrong: if there is none, or it is neither a video's nor a picture's.
    """
    if not name or not name.strip():
        raise AskedWrong("name: missing; give the file's, such as ?name=door.mp4")
    shown = clean_name(name)
    if PurePosixPath(shown).suffix.lower() not in SUFFIXES:
        raise AskedWrong(
            f"name: expected that of a video or picture, which ends in {', '.join(sorted(SUFFIXES))}; received "
            f"{shown_received(shown)}"
        )
    return shown


def upload_spec(key: str, name: str, wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of a job about an upload.

    Args:
        key: in the blob store, beginning with `UPLOAD_PREFIX`.
        name: for people, checked.
        wishes: of `WISHES`; what is empty is left to the default.

    Raises:
        AskedWrong: if one of them isn't allowed.
    """
    assert key.startswith(UPLOAD_PREFIX)
    return _spec({"upload": key}, name, wishes)


def named_spec(path: str, wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of a job about a file or folder that is there already; its arguments are those of `upload_spec`.

    Raises:
        AskedWrong: if no path is given, or a wish isn't allowed.
    """
    if not path.strip():
        raise AskedWrong("path: missing; give a file or folder below one that jobs.folders allows")
    return _spec({"path": path.strip()}, "", wishes)


def _spec(given: Mapping[str, str], name: str, wishes: Mapping[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"input": dict(given), "name": name}
    for wish in WISHES:
        value = wishes.get(wish)
        if value is None or value == "":
            continue
        is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9
        spec[wish] = int(value) if wish == "every" and is_number else value
    try:
        return VideoSpec.read(spec).as_dict()
    except JobError as error:
        raise AskedWrong(str(error)) from None


def one_of(key: str, text: str, allowed: type[JobState] | type[JobKind]) -> Any:
    """Return a state or a kind by its name, or None where the text is empty.

    Raises:
        AskedWrong: if there is none of that name.
    """
    if not text:
        return None
    if text not in list(allowed):
        raise AskedWrong(f"{key}: expected {', '.join(allowed)}, received {shown_received(text)}")
    return allowed(text)

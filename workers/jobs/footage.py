"""What a job about recorded material looks at: an upload, or a file or folder below the allowed ones."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from maskwatch.errors import JobError
from maskwatch.jobs import VideoSpec, resolve_named
from maskwatch.jobs.spec import clean_name
from maskwatch.settings.source import Source, SourceKind
from workers.inputs import Input, expand
from workers.jobs.context import JobContext

__all__ = ["inputs_of"]


def inputs_of(job: JobContext, spec: VideoSpec) -> list[Input]:
    """Return the pictures and videos that a job is about, as `maskwatch detect` would find them.

    Args:
        job: its folder gets a link to the upload, which stays there should the upload be deleted.
        spec: what was asked for.

    Raises:
        JobError: if there is nothing, or too much.
    """
    if not spec.path:
        path = _upload(job, spec.upload)
        shown = clean_name(spec.name)
    else:
        path = resolve_named(spec.path, job.settings.named_folders)
        shown = ""
    inputs, problems = expand([str(path)])
    if problems:
        raise JobError(str(problems[0][1]))
    most = job.settings.jobs.most_files
    if len(inputs) > most:
        raise JobError(f"{len(inputs)} pictures and videos, expected at most {most}; see jobs.most_files")
    # A link within a named folder may lead out of it.
    folders = job.settings.named_folders
    paths = [resolve_named(str(one.path), folders) for one in inputs] if spec.path else [path]
    return [
        Input(one.kind, Source(SourceKind.VIDEO, str(found)), shown or one.path.name)
        for one, found in zip(inputs, paths, strict=True)
    ]


def _upload(job: JobContext, key: str) -> Path:
    """Put the upload into the job's folder under its own suffix, which tells pictures from videos, and return it."""
    path = job.make_folder() / f"input{Path(key).suffix.lower()}"
    if path.exists():
        return path
    file = job.blobs.open(key)
    if file is None:
        raise JobError(
            "the upload is gone: it was deleted, or newer files took its room (blobs.most_mb); upload it again"
        )
    with file:
        unfinished = path.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        try:
            with suppress(OSError):  # another file system
                os.link(f"/proc/self/fd/{file.fileno()}", unfinished, follow_symlinks=True)
            if not unfinished.exists():
                with unfinished.open("wb") as copy:
                    shutil.copyfileobj(file, copy, 1 << 20)
            os.replace(unfinished, path)
        except OSError as error:
            raise JobError(f"{path}: can't be written ({error.strerror}); is there room in jobs.dir?") from error
    return path

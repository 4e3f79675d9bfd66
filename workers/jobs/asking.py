"""Asking for jobs and looking at them from a terminal; the site and its API do the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from maskwatch.broker.connect import connect
from maskwatch.errors import ConfigError, JobError
from maskwatch.jobs import JobBook, JobKind, VideoSpec, resolve_named
from maskwatch.settings import Settings
from workers.jobs.train import train_words

__all__ = ["list_jobs", "submit_job"]

_MOST = 1000


def submit_job(settings: Settings, kind: str, text: str) -> Iterator[str]:
    """Ask for a job and yield its id.

    Args:
        settings: of this installation.
        kind: what to do.
        text: what is asked for, JSON.

    Raises:
        ConfigError: if it can't be asked for so.
        QueueError: if Redis can't be asked.
    """
    try:
        spec = json.loads(text)
        if not isinstance(spec, dict):
            raise JobError("expected a JSON object")
        if kind == JobKind.VIDEO:
            video = VideoSpec.read(spec)
            _check_path(video.path, settings.named_folders)
            spec = video.as_dict()
        elif kind == JobKind.TRAIN:
            train_words(spec, settings.named_folders)
    except (JobError, ValueError) as error:
        raise ConfigError(f"--spec: {error}") from None
    with connect(settings.require_redis().durable.get_secret_value()) as client:
        yield JobBook(client).submit(JobKind(kind), spec).id


def _check_path(path: str, folders: Sequence[Path]) -> None:
    """Refuse now what the job would refuse later.

    Raises:
        JobError: if nothing of this name may be looked at. The process of the jobs may be another machine's: where this
            one has none of the folders, that one finds out.
    """
    if path and (not folders or any(os.path.isdir(folder) for folder in folders)):
        resolve_named(path, folders)


def list_jobs(settings: Settings) -> Iterator[str]:
    """Yield a line for each job.

    Raises:
        ConfigError: if there is no Redis in the settings.
        QueueError: if Redis can't be asked.
    """
    with connect(settings.require_redis().durable.get_secret_value()) as client:
        views = JobBook(client).list(_MOST)
    for view in views:
        share = "" if view.progress is None else f"{100 * view.progress:.0f} %"
        yield f"{view.id}  {view.kind:<9}  {view.state:<9}  {share:>5}  {view.title}  {view.reason}".rstrip()

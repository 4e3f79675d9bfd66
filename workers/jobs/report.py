"""A report as a job: what `maskwatch report` writes, among the results."""

from __future__ import annotations

from workers.jobs.child import run_verb
from workers.jobs.context import JobContext, Outcome

__all__ = ["do_report"]

_OPTIONS = ("from", "to", "tz", "by", "camera", "zone")


def do_report(job: JobContext) -> Outcome:
    """Write a report.

    Raises:
        JobError, ChildFailed, Cancelled, Interrupted: as `run_verb`.
        BlobError: if it can't be kept.
    """
    path = job.make_folder() / "report.html"
    words = ["report", "--out", str(path)]
    for option in _OPTIONS:
        value = job.view.spec.get(option)
        if value:
            words += [f"--{option}", str(value)]
    said = run_verb(job, words)
    result = job.keep("report.html", path, "text/html")
    return Outcome((result,), {"says": said.strip().removeprefix(f"{path}: ")})

"""Jobs: work that takes its time, done by `maskwatch jobs` and asked for by whoever wants it done.

What the site and the workers share: what a job is, the book in which each one stands, and how one is put into RQ's
queues. Functions are named by dotted path, so that nobody who asks for a job has to import what does it.
"""

from maskwatch.jobs.book import JobBook
from maskwatch.jobs.named import resolve_named
from maskwatch.jobs.spec import VideoSpec
from maskwatch.jobs.types import QUEUE_OF, QUEUES, JobKind, JobResult, JobState, JobView

__all__ = [
    "QUEUES",
    "QUEUE_OF",
    "JobBook",
    "JobKind",
    "JobResult",
    "JobState",
    "JobView",
    "VideoSpec",
    "resolve_named",
]

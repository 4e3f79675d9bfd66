"""Results of jobs as files, whole or in parts, so that a browser can play a video and jump within it."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath

from flask import Response, request
from werkzeug.exceptions import Gone, NotFound, RequestedRangeNotSatisfiable
from werkzeug.wsgi import FileWrapper

from maskwatch.jobs.types import JobView
from web.asked import shown_received
from web.jobs.desk import JobDesk

__all__ = ["result_answer"]

_PIECE_BYTES = 64 << 10
_SHOWN = frozenset({"video/mp4", "image/jpeg", "image/png"})
"""What a browser shows in place; the rest is saved, because a page that a job has written mustn't run as the site's."""


def result_answer(desk: JobDesk, view: JobView, name: str) -> Response:
    """Answer with a result, or the part of it that the request's Range header asks for (RFC 9110, section 14).

    Raises:
        NotFound: if the job has none of that name.
        Gone: if it isn't kept any longer.
        RequestedRangeNotSatisfiable: if it is shorter.
        BlobError: if it can't be read.
    """
    found = next((one for one in view.results if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in view.results) or "none yet"
        raise NotFound(f"job {view.id} has no result {shown_received(name)}; there are: {known}")
    file = desk.files.open(found.key)
    if file is None:
        raise Gone(f"{found.name} of job {view.id} isn't kept any longer; see jobs.keep_days and blobs.most_mb")
    status = os.fstat(file.fileno())
    answer = Response(FileWrapper(file, _PIECE_BYTES), mimetype=found.mimetype, direct_passthrough=True)
    answer.content_length = status.st_size
    answer.set_etag(f"{status.st_mtime_ns:x}-{status.st_size:x}")
    is_shown = found.mimetype in _SHOWN and "download" not in request.args
    answer.headers.set("Content-Disposition", "inline" if is_shown else "attachment", filename=_file_name(view, name))
    try:
        answer.make_conditional(request.environ, accept_ranges=True, complete_length=status.st_size)
    except RequestedRangeNotSatisfiable:
        file.close()
        raise
    return answer


def _file_name(view: JobView, name: str) -> str:
    """Return a name under which several jobs' results lie side by side."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePosixPath(view.title).stem).strip("-")[:60]
    return f"{stem}-{name}" if stem else name

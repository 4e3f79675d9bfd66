"""Uploads: streamed to the kept files, counted, and never decoded in this process; `web.pace` ends slow ones."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath

from flask import request
from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    RequestEntityTooLarge,
    RequestTimeout,
    ServiceUnavailable,
)

from maskwatch.errors import BlobError, BlobTooLarge
from maskwatch.jobs.spec import UPLOAD_PREFIX
from maskwatch.jobs.types import JobKind, JobView
from web.asked import AskedWrong, refuse_unknown
from web.jobs.asked import WISHES, checked_name, upload_spec
from web.jobs.desk import JobDesk
from web.jobs.forms import PIECE_BYTES, FormStream, Readable
from web.pace import LEAST_BYTES_PER_S

__all__ = ["InsufficientStorage", "job_from_upload"]

_FORM_BYTES = 64 << 10
"""What a form may have around its file."""
_RETRY_AFTER_S = 30
_FORM_KEYS = (*WISHES, "name", "csrf_token")


class InsufficientStorage(HTTPException):
    """507: there is no room for it, or it can't be written."""

    code = 507
    description = "There is no room for this."


def job_from_upload(desk: JobDesk, check: Callable[[Mapping[str, str]], None]) -> JobView:
    """Keep the file that the current request brings, and ask for a job about it.

    The body is the file itself, with its name in the query, or a form with one file.

    Args:
        desk: of the site.
        check: is given the fields of a form that came before its file, and raises if it mayn't be sent.

    Returns:
        The job, which waits.

    Raises:
        AskedWrong: if name, wishes or form are wrong.
        HTTPException: if it is too large (413), empty (400), too slow (408), or there is no room for it (503, 507).
        QueueError: if Redis doesn't answer as it should; then nothing is kept.
    """
    _check_length(desk)
    key = f"{UPLOAD_PREFIX}{secrets.token_hex(16)}"
    with _place(desk):
        stream = _WholeStream(request.stream, request.content_length or 0)
        if request.mimetype == "multipart/form-data":
            return _from_form(desk, key, stream, check)
        refuse_unknown(request.args, ("name", *WISHES))
        name = checked_name(request.args.get("name"))
        key += PurePosixPath(name).suffix.lower()
        spec = upload_spec(key, name, request.args)
        _keep(desk, key, iter(lambda: stream.read(PIECE_BYTES), b""))
        with _unless_kept_in_vain(desk, key):
            return desk.jobs.submit(JobKind.VIDEO, spec, title=name)


def _from_form(desk: JobDesk, key: str, stream: _WholeStream, check: Callable[[Mapping[str, str]], None]) -> JobView:
    form = FormStream(stream, request.mimetype_params.get("boundary", ""))
    given = form.next_file()
    if given is None:
        raise AskedWrong("the form has no file; choose one, or send it with curl -F file=@door.mp4")
    check(form.fields)
    if not given:
        raise AskedWrong("no file was chosen; choose a video or a picture")
    name = checked_name(given)
    key += PurePosixPath(name).suffix.lower()
    _keep(desk, key, form.chunks())
    with _unless_kept_in_vain(desk, key):
        # What curl -F sends after the file counts, too.
        if form.next_file() is not None:
            raise AskedWrong("the form has several files; send one at a time")
        refuse_unknown(form.fields, _FORM_KEYS)
        name = checked_name(form.fields.get("name") or name)
        return desk.jobs.submit(JobKind.VIDEO, upload_spec(key, name, form.fields), title=name)


def _check_length(desk: JobDesk) -> None:
    length = request.content_length or 0
    if not length:
        raise BadRequest("the file is empty, or wasn't sent; send it as the body, e.g. with curl -X POST -T door.mp4")
    most_bytes = desk.most_bytes + _FORM_BYTES
    if length > most_bytes:
        raise _too_large(desk, length)
    request.max_content_length = most_bytes
    if desk.files.size_bytes(UPLOAD_PREFIX) + length > desk.most_together_bytes:
        raise InsufficientStorage(
            f"uploads may take {desk.most_together_bytes >> 20} MB together, half of blobs.most_mb, and there is no "
            "room for this one; delete jobs that are over, or raise it"
        )


def _keep(desk: JobDesk, key: str, chunks: Iterator[bytes]) -> None:
    try:
        count = desk.files.write(key, chunks, desk.most_bytes)
    except BlobTooLarge:
        raise _too_large(desk, request.content_length or 0) from None
    except BlobError as error:
        raise InsufficientStorage(str(error)) from error
    if not count:
        desk.files.delete(key)
        raise BadRequest("the file is empty (0 bytes); choose a video or a picture")


def _too_large(desk: JobDesk, length: int) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(
        f"the file is too large: {length / (1 << 20):.1f} MB, expected at most {desk.most_bytes >> 20} MB "
        "(jobs.most_upload_mb, and half of blobs.most_mb); cut it into parts, or name it where it lies "
        "(jobs.folders)"
    )


@contextmanager
def _place(desk: JobDesk) -> Iterator[None]:
    give_back = desk.uploads.take()
    if give_back is None:
        raise ServiceUnavailable(
            f"{desk.uploads.most} uploads are under way, which is all that may; try again when one is over",
            retry_after=_RETRY_AFTER_S,
        )
    try:
        yield
    finally:
        give_back()


@contextmanager
def _unless_kept_in_vain(desk: JobDesk, key: str) -> Iterator[None]:
    """Delete an upload again where no job comes of it."""
    try:
        yield
    except BaseException:
        with suppress(BlobError):  # retention removes it with what is old
            desk.files.delete(key)
        raise


class _WholeStream:
    """A body that has to come whole."""

    def __init__(self, stream: Readable, length: int) -> None:
        self._stream = stream
        self._length = length
        self._bytes = 0

    def read(self, most_bytes: int) -> bytes:
        """Return the next bytes; none at the end.

        Raises:
            RequestTimeout: if the body came too slowly.
            BadRequest: if it ends before its length.
        """
        try:
            piece = self._stream.read(most_bytes)
        except ClientDisconnected as error:
            if isinstance(error.__context__, TimeoutError):
                raise RequestTimeout(
                    f"the file came too slowly, {self._bytes} of {self._length} bytes of it: it stood still, or less "
                    f"than {LEAST_BYTES_PER_S >> 10} kB came in a second; send it again"
                ) from None
            piece = b""
        self._bytes += len(piece)
        if not piece and self._bytes < self._length:
            raise BadRequest(f"the upload broke off after {self._bytes} of {self._length} bytes; send it again")
        return piece

"""Fetching files that aren't shipped: from one fixed address, bounded, and kept only when the checksum is right."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from maskwatch import __version__
from maskwatch.errors import ChecksumMismatch, ModelError
from maskwatch.settings.source import scrub_url
from models.pulled import Pullable, find_pulled, read_pulled
from models.store import make_folder

__all__ = ["pull"]

_SILENCE_S = 20.0
"""Seconds without a byte after which a server counts as gone."""

_WITHIN_S = 600.0
"""Of the whole transfer: a server that sends a byte now and then must not hold the command for ever."""

_PIECE_BYTES = 64 * 1024

Progress = Callable[[int], None]


def pull(wanted: Pullable, folder: Path, source: str | None = None, progress: Progress = lambda _count: None) -> Path:
    """Fetch a file, check it, and put it into its place in one step: it is there whole, or not at all.

    Args:
        wanted: which one.
        folder: of models.
        source: a URL, or the path of a file, in place of the published address. https, or http of this machine.
        progress: told how many bytes came.

    Returns:
        Where it is; a right file that is there already is left alone.

    Raises:
        ModelError: if it can't be fetched or written.
        ChecksumMismatch: if what came isn't the known file.
    """
    with contextlib.suppress(ModelError):
        if find_pulled(wanted, [folder]) is not None:
            read_pulled(wanted, [folder])
            return folder / wanted.name / wanted.file
    target = folder / wanted.name / wanted.file
    try:
        make_folder(target.parent)
        descriptor, name = tempfile.mkstemp(prefix=f".{wanted.file}-", dir=target.parent)
    except OSError as error:
        raise ModelError(
            f"folder of models {folder}: can't be written ({error.strerror}); give another as models.dir"
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            _fetch(wanted, source or wanted.url, file, progress)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, target)
    except OSError as error:
        os.unlink(name)
        raise ModelError(f"{wanted.name}: {target}: can't be written ({error.strerror}); free some space") from error
    except BaseException:
        os.unlink(name)
        raise
    return target


def _fetch(wanted: Pullable, source: str, file: IO[bytes], progress: Progress) -> None:
    """Copy what the source gives into a file while its length and, at the end, its checksum are right.

    Raises:
        ModelError: if the source can't be read or gives another number of bytes; ChecksumMismatch: if others.
    """
    shown = scrub_url(source)
    digest, count = hashlib.sha256(), 0
    ends_s = time.monotonic() + _WITHIN_S
    for piece in _pieces(wanted, source, shown):
        count += len(piece)
        if count > wanted.size_bytes:
            raise ModelError(f"{wanted.name}: {shown}: expected {wanted.size_bytes} bytes, received more; {_OTHER}")
        if time.monotonic() > ends_s:
            raise ModelError(f"{wanted.name}: {shown}: not done within {_WITHIN_S:.0f} s ({count} bytes); {_OTHER}")
        digest.update(piece)
        file.write(piece)
        progress(count)
    if count < wanted.size_bytes:
        raise ModelError(
            f"{wanted.name}: {shown}: expected {wanted.size_bytes} bytes, received {count}; the connection broke, or "
            f"it is another file: try again, or {_OTHER}"
        )
    if digest.hexdigest() != wanted.sha256:
        raise ChecksumMismatch(
            f"{wanted.name}: {shown}: expected sha256 {wanted.sha256}, received {digest.hexdigest()}; nothing was "
            f"kept; {_OTHER}"
        )


_OTHER = "give another source with --from URL or --from FILE"


def _pieces(wanted: Pullable, source: str, shown: str) -> Iterator[bytes]:
    """Read a file or an address piece by piece.

    Raises:
        ModelError: if it can't be read.
    """
    if "://" not in source:
        try:
            with open(os.path.expanduser(source), "rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    yield piece
        except OSError as error:
            raise ModelError(f"{wanted.name}: {source}: can't be read ({error.strerror}); {_OTHER}") from error
        return
    _require_trusted(wanted, source, shown)
    request = Request(source, headers={"User-Agent": f"maskwatch/{__version__}"})  # noqa: S310  # the scheme is checked
    try:
        with _opener(wanted, source).open(request, timeout=_SILENCE_S) as answer:
            while piece := answer.read(_PIECE_BYTES):
                yield piece
    except HTTPError as error:
        raise ModelError(f"{wanted.name}: {shown}: the server answers {error.code} {error.reason}; {_OTHER}") from error
    except URLError as error:
        raise ModelError(
            f"{wanted.name}: {shown}: can't be reached ({_reason(error.reason)}); without internet, fetch "
            f"{wanted.file} elsewhere and give it with --from FILE"
        ) from error
    except (HTTPException, OSError) as error:
        raise ModelError(f"{wanted.name}: {shown}: the connection broke ({_reason(error)}); try again") from error


def _reason(error: object) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _require_trusted(wanted: Pullable, url: str, shown: str) -> None:
    """Refuse what isn't https, but for plain http of this machine: a mirror or a tunnel that its owner runs.

    Raises:
        ModelError: if it is something else.
    """
    try:
        parts = urlsplit(url)
        is_fine = parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname))
    except ValueError:
        is_fine = False
    if not is_fine:
        raise ModelError(f"{wanted.name}: {shown}: expected an https:// address, or http:// of this machine; {_OTHER}")


def _is_this_machine(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _opener(wanted: Pullable, url: str) -> OpenerDirector:
    """Make an opener that stays with one server; the environment's proxies aren't asked about this machine."""
    handlers: list[Any] = [_StayThere(wanted, url)]
    if _is_this_machine(urlsplit(url).hostname):
        handlers.append(ProxyHandler({}))
    return build_opener(*handlers)


class _StayThere(HTTPRedirectHandler):
    """Follows redirects of a server to itself, and refuses all others: a name that changed hands sends people away."""

    max_redirections = 3

    def __init__(self, wanted: Pullable, url: str) -> None:
        self._wanted = wanted
        self._url = url

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """Return the request of a redirect that stays there.

        Raises:
            ModelError: if it leads elsewhere.
        """
        here, there = urlsplit(self._url), urlsplit(newurl)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise ModelError(
                f"{self._wanted.name}: {scrub_url(self._url)}: redirects to {there.scheme}://{there.hostname}, "
                "expected the file itself; if you trust that server, give its address with --from"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)

"""What FFmpeg's errors mean for a source. Its own messages hold URLs with passwords, so they are not passed on."""

from __future__ import annotations

import errno

import av
import av.error

from maskwatch.errors import SourceAuthError, SourceError, SourceLost, SourceUnsupported

__all__ = ["opening_failed", "reading_failed"]

_REFUSED = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)
_UNDECODABLE = (
    av.error.DecoderNotFoundError,
    av.error.DemuxerNotFoundError,
    av.error.ProtocolNotFoundError,
    av.error.PatchWelcomeError,
)
_TIMED_OUT = (av.error.ExitError, av.error.TimeoutError)
_ADVICE = {
    errno.ECONNREFUSED: "nothing listens there; is the camera on and the port right?",
    errno.EHOSTUNREACH: "there is no way to that host; check address and network",
    errno.ENETUNREACH: "there is no way to that network; check address and network",
    errno.ENOENT: "no such file; check the path",
    errno.EACCES: "this user may not read it; change its permissions",
    errno.EISDIR: "that is a folder without pictures",
}


def opening_failed(error: BaseException, shown: str, timeout_s: float, *, is_live: bool) -> SourceError:
    """Return what to raise when a source could not be opened.

    Args:
        error: FFmpeg's.
        shown: the source without credentials.
        timeout_s: the time that opening may take.
        is_live: whether unreadable data may be a passing trouble of a camera rather than a broken file.
    """
    if isinstance(error, _REFUSED):
        return SourceAuthError(f"{shown}: refused the user name or password ({_words(error)}); correct the credentials")
    if isinstance(error, _TIMED_OUT):
        return SourceError(f"{shown}: did not answer within {timeout_s:g} s")
    if isinstance(error, _UNDECODABLE):
        return SourceUnsupported(f"{shown}: {_words(error)}; expected a video that FFmpeg decodes")
    if isinstance(error, (av.error.InvalidDataError, av.error.ArgumentError, av.error.EOFError)):
        if is_live:
            return SourceError(f"{shown}: answered with something that is no video ({_words(error)})")
        return SourceUnsupported(f"{shown}: not a video, or cut off ({_words(error)}); expected e.g. MP4, MKV or AVI")
    return SourceError(f"{shown}: can't be opened: {_words(error)}{_advice(error)}")


def reading_failed(error: BaseException, shown: str, timeout_s: float) -> SourceError:
    """Return what to raise when an open source failed; arguments as for `opening_failed`."""
    if isinstance(error, _REFUSED):
        return SourceAuthError(f"{shown}: refused the user name or password ({_words(error)}); correct the credentials")
    if isinstance(error, _TIMED_OUT):
        return SourceLost(f"{shown}: nothing came for {timeout_s:g} s")
    return SourceLost(f"{shown}: broke off: {_words(error)}")


def _words(error: BaseException) -> str:
    words = getattr(error, "strerror", None)
    return str(words) if words else type(error).__name__


def _advice(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    return f"; {_ADVICE[number]}" if number in _ADVICE else ""

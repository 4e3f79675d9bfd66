"""What the `source:` of a camera may be, and how it is written where people can read it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from maskwatch.errors import ConfigError

__all__ = ["Source", "SourceKind", "parse_source", "scrub", "scrub_url"]

_CREDENTIALS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s\"']*@")
"""Up to the last @ of the word: a password may hold / ? # or @ that somebody forgot to encode."""
_SECRET_QUERY = re.compile(
    r"(?P<key>[?&](?:pass|passwd|password|pwd|token|key|api_key|auth|secret|user|usr|username|loginuse|loginpas)=)[^&\s\"'#]+",
    re.IGNORECASE,
)
_WEBCAM = re.compile(r"^webcam:(?P<index>\d{1,3})$")
_NEARLY_WEBCAM = re.compile(r"^webcam(?::|$)")
_NEARLY_URL = re.compile(r"^(?P<scheme>(?:rtsps?|rtmps?|https?)(?::|//)/?)?(?P<credentials>[^/\s@]*:[^\s]*@)?")
"""An address whose `://` is incomplete or missing: it would be taken for a file's name, and shown with its password."""


class SourceKind(StrEnum):
    """How a source is read."""

    RTSP = "rtsp"
    URL = "url"
    WEBCAM = "webcam"
    VIDEO = "video"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed source.

    Attributes:
        kind: how to read it.
        location: a URL with its credentials, a path, or a V4L2 device such as `/dev/video0`. Never shown to anyone.
    """

    kind: SourceKind
    location: str

    @property
    def is_live(self) -> bool:
        """Whether time passes at the source whether or not somebody reads it."""
        return self.kind in (SourceKind.RTSP, SourceKind.URL, SourceKind.WEBCAM)

    def __repr__(self) -> str:
        """Show the source without credentials."""
        return f"Source({self.kind.value}, {scrub_url(self.location)!r})"


def scrub(text: str) -> str:
    """Take credentials out of every URL in a text.

    Args:
        text: a URL, or a message that may contain some.

    Returns:
        The text with `user:password@` and the values of secret-looking query keys replaced by `***`.
    """
    text = _CREDENTIALS.sub(r"\g<scheme>***@", text)
    return _SECRET_QUERY.sub(r"\g<key>***", text)


def scrub_url(text: str) -> str:
    """Take the credentials out of one URL, whatever characters they hold.

    Args:
        text: one URL, and nothing else.

    Returns:
        As `scrub`, with everything up to the last @ of the text replaced, also where `://` is incomplete or missing.
    """
    scheme, separator, rest = text.partition("://")
    if not separator and (nearly := _NEARLY_URL.match(text)) is not None and nearly["credentials"]:
        return f"{nearly['scheme'] or ''}***@{text[nearly.end() :]}"
    return scrub(f"{scheme}://***@{rest.rpartition('@')[2]}" if separator and "@" in rest else text)


def parse_source(text: str, base: Path | None = None) -> Source:
    """Tell what a source is from how it is written.

    Args:
        text: `rtsp://...`, any other URL that FFmpeg reads, `webcam:N`, `/dev/videoN`, or the path of a video file or
            an image folder.
        base: folder that relative paths start from; None leaves them as they are.

    Returns:
        The parsed source; files need not exist yet.

    Raises:
        ConfigError: if the text is empty, a URL has no host, or a path begins with a home folder that nobody has.
    """
    if not text.strip():
        raise ConfigError("source is empty; expected a URL, webcam:N, /dev/videoN, a video file or a folder of images")
    if (webcam := _WEBCAM.match(text)) is not None:
        return Source(SourceKind.WEBCAM, f"/dev/video{webcam['index']}")
    if text.startswith("/dev/video"):
        return Source(SourceKind.WEBCAM, text)
    if "://" in text:
        return _parse_url(text)
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"source {text!r} is below a home folder that nobody has here; write the whole path"
        ) from None
    if base is not None and not path.is_absolute():
        path = base / path
    if not os.path.lexists(path):
        _check_meant(text)
    # Not Path.is_dir, which fails where a folder above may not be entered.
    return Source(SourceKind.FOLDER if os.path.isdir(path) else SourceKind.VIDEO, str(path))


def _check_meant(text: str) -> None:
    """Refuse what is no file and looks like something else that was misspelt."""
    if _NEARLY_WEBCAM.match(text):
        raise ConfigError(f"source {text!r}: expected webcam:N with a number, such as webcam:0, or a path")
    nearly = _NEARLY_URL.match(text)
    if nearly is not None and nearly.end():
        raise ConfigError(
            f"source {scrub_url(text)!r} is no file, and no URL; expected rtsp://HOST/PATH, http://HOST/PATH or a path"
        )


def _parse_url(text: str) -> Source:
    try:
        parts = urlsplit(text)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
        parts = urlsplit("")
    if not port_is_valid or (not parts.hostname and parts.scheme != "file"):
        raise ConfigError(
            f"source {scrub_url(text)!r} is not a URL with a host and a valid port; a password with special characters "
            "must be percent-encoded, or kept in a variable: ${NAME} is encoded by itself"
        )
    if parts.scheme == "file":
        return Source(SourceKind.VIDEO, unquote(parts.path))
    kind = SourceKind.RTSP if parts.scheme in ("rtsp", "rtsps") else SourceKind.URL
    return Source(kind, text)

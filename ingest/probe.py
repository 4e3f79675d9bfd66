"""Whether a source's host answers again: a cheap question while the next full try is some time away."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from maskwatch.settings import Source, SourceKind

__all__ = ["answers"]

_TIMEOUT_S = 1.0
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935}
_STREAMING = ("rtsp", "http", "https", "rtsps", "rtmp")


def answers(source: Source, timeout_s: float = _TIMEOUT_S) -> bool:
    """Ask a camera's port whether anybody is there, without credentials.

    A frozen camera still accepts connections, so an RTSP server has to answer OPTIONS (RFC 2326, 10.1).

    Args:
        source: an RTSP or other URL; anything else doesn't answer.
        timeout_s: that connecting and answering may take each.
    """
    parts = urlsplit(source.location)
    if source.kind not in (SourceKind.RTSP, SourceKind.URL) or parts.scheme not in _STREAMING or not parts.hostname:
        return False
    try:
        with socket.create_connection((parts.hostname, parts.port or _PORTS[parts.scheme]), timeout_s) as connection:
            if parts.scheme != "rtsp":
                return True
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            connection.sendall(f"OPTIONS rtsp://{host}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            return bool(connection.recv(1))
    except (OSError, UnicodeError):
        # A name with an empty or an overlong part is no host: the codec of host names says so in its own way.
        return False

"""A webhook: signed JSON by POST, whose receiver can check who sent it, when, and that it wasn't changed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from maskwatch import __version__
from workers.notify.message import Message
from workers.notify.outcome import Outcome, Result, failed

__all__ = ["Webhook", "signature"]

_TIMEOUT_S = 8.0
"""Of connecting and of each read; all of it together is bounded by whoever runs this."""
_REFUSALS = frozenset({400, 406, 413, 414, 415, 422})
"""What is wrong with the message itself; everything else may be mended at the other end."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return `sha256=` and the HMAC in hexadecimal digits of the timestamp, a full stop and the body.

    Source: RFC 2104, with the timestamp signed so that an old message can't be sent again as a new one.
    """
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook:
    """One address that takes messages.

    Args:
        url: http:// or https://; a user and a password in it become a header.
        secret: that signs.
    """

    def __init__(self, url: str, secret: str) -> None:
        parts = urlsplit(url)
        self._headers = {"Content-Type": "application/json", "User-Agent": f"maskwatch/{__version__}"}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        self._url = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
        self._secret = secret
        self._opener = build_opener(_NoRedirects)

    def send(self, message: Message) -> Outcome:
        """Post one message; any 2xx is a receipt."""
        body = message.body(with_picture=True)
        timestamp = str(int(time.time()))
        headers = {
            **self._headers,
            "X-Maskwatch-Id": message.id,
            "X-Maskwatch-Timestamp": timestamp,
            "X-Maskwatch-Signature": signature(self._secret, timestamp, body),
        }
        request = Request(self._url, data=body, headers=headers, method="POST")  # noqa: S310  # settings checked it
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                return Outcome(Result.SENT, f"answered {answer.status}")
        except HTTPError as error:
            error.close()
            return _answered(error.code)
        except URLError as error:
            reason = error.reason
            return failed("no connection", reason if isinstance(reason, BaseException) else error)
        except (OSError, HTTPException, ValueError) as error:
            return failed("no answer", error)

    def close(self) -> None:
        """Nothing stays open between two messages."""


class _NoRedirects(HTTPRedirectHandler):
    """Whoever is redirected would send people's pictures where nobody configured it."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow nothing."""


def _answered(status: int) -> Outcome:
    if 300 <= status < 400:
        return failed(f"answered {status}; redirects aren't followed, correct the address")
    if status in _REFUSALS:
        return Outcome(Result.REFUSED, f"answered {status}: it doesn't take this message")
    return failed(f"answered {status}")

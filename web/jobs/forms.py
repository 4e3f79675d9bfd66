"""Forms with a file as browsers send them, read part by part: no file is ever in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from web.asked import AskedWrong

__all__ = ["PIECE_BYTES", "FormStream", "Readable"]

PIECE_BYTES = 64 << 10
_MOST_PARTS = 20
_MOST_FIELD_BYTES = 4096


class Readable(Protocol):
    """A body, as WSGI servers give it."""

    def read(self, most_bytes: int, /) -> bytes:
        """Return the next bytes; none at the end."""


class FormStream:
    """A `multipart/form-data` body (RFC 7578).

    Args:
        stream: the body, which ends where it ends.
        boundary: that the Content-Type names.

    Raises:
        AskedWrong: if there is no boundary.

    Attributes:
        fields: those that have come so far; the last one of a name.
    """

    def __init__(self, stream: Readable, boundary: str) -> None:
        if not boundary:
            raise AskedWrong("the form can't be read: its Content-Type has no boundary; leave that to the client")
        self.fields: dict[str, str] = {}
        self._stream = stream
        # What it buffers is at most one piece and the rest of the one before.
        self._decoder = MultipartDecoder(boundary.encode(), max_form_memory_size=1 << 20, max_parts=_MOST_PARTS)

    def next_file(self) -> str | None:
        """Go on to the next file and return its name, which may be empty; None at the end.

        Raises:
            AskedWrong: if this isn't a form, or a field is too long.
        """
        while True:
            event = self._next_event()
            if isinstance(event, File):
                return event.filename
            if isinstance(event, Field):
                name = str(event.name)
                self.fields[name] = self._field(name)
            elif isinstance(event, Epilogue):
                return None

    def chunks(self) -> Iterator[bytes]:
        """Yield what the file consists of.

        Raises:
            AskedWrong: if the form ends within it.
        """
        while True:
            event = self._next_event()
            assert isinstance(event, Data)  # nothing else follows the beginning of a part
            if event.data:
                yield event.data
            if not event.more_data:
                return

    def _field(self, name: str) -> str:
        value = b""
        for chunk in self.chunks():
            value += chunk
            if len(value) > _MOST_FIELD_BYTES:
                raise AskedWrong(f"{name[:40]}: expected at most {_MOST_FIELD_BYTES} bytes; only files may be longer")
        return value.decode("utf-8", "replace")

    def _next_event(self) -> Event:
        try:
            while isinstance(event := self._decoder.next_event(), NeedData):
                self._decoder.receive_data(self._stream.read(PIECE_BYTES) or None)
        except (ValueError, RequestEntityTooLarge) as error:
            raise AskedWrong(f"the form can't be read ({error}); send it as browsers and curl -F do") from None
        return event

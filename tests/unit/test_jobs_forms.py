from __future__ import annotations

import io

import pytest

from web.asked import AskedWrong
from web.jobs.forms import FormStream

FILE = b"\r\n--b--\r\n almost a boundary \r\n--" + bytes(range(256)) * 1000


def body(*parts: tuple[str, str | None, bytes], boundary: str = "frontier", ending: bytes = b"--\r\n") -> io.BytesIO:
    text = b""
    for name, filename, content in parts:
        extra = "" if filename is None else f'; filename="{filename}"'
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
        text += head.encode() + content + b"\r\n"
    return io.BytesIO(text + f"--{boundary}".encode() + ending)


class Dribble:
    """A body that comes a few bytes at a time."""

    def __init__(self, stream: io.BytesIO, most: int) -> None:
        self._stream = stream
        self._most = most

    def read(self, most_bytes: int, /) -> bytes:
        """Return a few bytes."""
        return self._stream.read(min(self._most, most_bytes))


@pytest.mark.parametrize("most", [17, 1000, 1 << 20])
def test_file_passes_through_unchanged_between_fields(most: int) -> None:
    sent = body(("every", None, b"5"), ("file", "d\u00f6or.mp4", FILE), ("profile", None, b"fast"))
    form = FormStream(Dribble(sent, most), "frontier")
    assert form.next_file() == "d\u00f6or.mp4"
    assert form.fields == {"every": "5"}
    assert b"".join(form.chunks()) == FILE
    assert form.next_file() is None
    assert form.fields == {"every": "5", "profile": "fast"}


def test_chunks_are_small_whatever_the_file() -> None:
    form = FormStream(body(("file", "a.mp4", bytes(3 << 20))), "frontier")
    assert form.next_file() == "a.mp4"
    sizes = [len(chunk) for chunk in form.chunks()]
    assert sum(sizes) == 3 << 20
    assert max(sizes) <= 128 << 10


def test_form_without_file_has_none() -> None:
    assert FormStream(body(("every", None, b"5")), "frontier").next_file() is None
    assert FormStream(body(), "frontier").next_file() is None


def test_file_that_was_not_chosen_has_no_name() -> None:
    assert FormStream(body(("file", "", b"")), "frontier").next_file() == ""


@pytest.mark.parametrize(
    "sent",
    [
        io.BytesIO(b""),
        io.BytesIO(b"not a form at all"),
        io.BytesIO(b"--frontier\r\nContent-Type: text/plain\r\n\r\nx\r\n--frontier--\r\n"),
        body(("every", None, b"x" * 5000), ("file", "a.mp4", b"x")),
        body(*[(f"f{number}", None, b"x") for number in range(21)]),
    ],
    ids=["nothing", "something-else", "no-name", "long-field", "many-fields"],
)
def test_what_is_no_form_is_refused(sent: io.BytesIO) -> None:
    with pytest.raises(AskedWrong):
        FormStream(sent, "frontier").next_file()


def test_form_that_ends_within_its_file_is_refused() -> None:
    form = FormStream(body(("file", "a.mp4", b"x" * 1000), ending=b""), "frontier")
    assert form.next_file() == "a.mp4"
    with pytest.raises(AskedWrong, match="can't be read"):
        list(form.chunks())


def test_form_without_boundary_is_refused() -> None:
    with pytest.raises(AskedWrong, match="no boundary"):
        FormStream(body(), "")

"""The folder of kept files."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskwatch.blobs import BlobStore
from maskwatch.errors import BlobError, BlobTooLarge


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def aged(folder: Path, key: str, seconds: float) -> None:
    (path,) = folder.rglob(key)
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_what_was_put_is_there_until_it_is_deleted(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs", 1000)
    assert blobs.get("a.jpg") is None
    assert not blobs.delete("a.jpg")
    blobs.put("a.jpg", b"one")
    blobs.put("a.jpg", b"two")
    assert blobs.get("a.jpg") == b"two"
    assert blobs.has("a.jpg")
    assert not blobs.has("b.jpg")
    assert BlobStore(tmp_path / "blobs", 1000).get("a.jpg") == b"two"
    assert blobs.delete("a.jpg")
    assert blobs.get("a.jpg") is None


def test_files_and_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    BlobStore(tmp_path / "blobs", 1000).put("a.jpg", b"x")
    for path in (tmp_path / "blobs").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert stat.S_IMODE((tmp_path / "blobs").stat().st_mode) == 0o700


@pytest.mark.parametrize("key", ["", "..", "../a", "a/b", ".part-1", "a\0b", "x" * 129, "a\n", "ä"])
def test_unsafe_key_is_refused_everywhere(tmp_path: Path, key: str) -> None:
    blobs = BlobStore(tmp_path, 1000)
    for ask in (lambda: blobs.put(key, b"x"), lambda: blobs.get(key), lambda: blobs.delete(key)):
        with pytest.raises(BlobError, match="expected letters"):
            ask()


def test_file_that_comes_in_pieces_is_there_when_it_is_whole(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path, 1000)

    def pieces() -> Iterator[bytes]:
        yield b"one, "
        assert not blobs.has("film.mp4")
        yield b"two"

    assert blobs.write("film.mp4", pieces(), 100) == 8
    file = blobs.open("film.mp4")
    assert file is not None
    with file:
        assert blobs.delete("film.mp4")
        assert file.read() == b"one, two"
    assert blobs.open("film.mp4") is None


def test_pieces_that_end_early_or_are_too_many_leave_nothing(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path, 1000)

    def lost() -> Iterator[bytes]:
        yield b"half"
        raise TimeoutError("the sender has gone")

    with pytest.raises(TimeoutError, match="has gone"):
        blobs.write("film.mp4", lost(), 100)
    with pytest.raises(BlobTooLarge, match="more than 100 bytes"):
        blobs.write("film.mp4", [b"x" * 60, b"x" * 41], 100)
    with pytest.raises(BlobTooLarge, match="more than 1000 bytes"):
        blobs.write("film.mp4", [b"x" * 1001], 5000)
    assert files(tmp_path) == set()


def test_pieces_make_room_as_whole_files_do(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path, 1000)
    for number in range(9):
        blobs.put(f"f{number}", b"x" * 100)
        aged(tmp_path, f"f{number}", 100 - number)
    blobs.write("film.mp4", [b"x" * 150] * 2, 500)
    assert "film.mp4" in files(tmp_path)
    assert "f0" not in files(tmp_path)
    assert blobs.size_bytes() <= 1000
    assert (blobs.size_bytes("film"), blobs.size_bytes("nothing")) == (300, 0)


def test_oldest_make_room_and_the_size_stays_bounded(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path, 1000)
    for number in range(10):
        blobs.put(f"f{number}", b"x" * 100)
        aged(tmp_path, f"f{number}", 100 - number)
    blobs.put("new", b"x" * 100)
    assert files(tmp_path) == {*(f"f{number}" for number in range(1, 10)), "new"}
    blobs.put("large", b"x" * 950)
    assert files(tmp_path) == {"large"}
    assert blobs.size_bytes() == 950


def test_what_is_larger_than_the_store_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path, 100)
    blobs.put("a", b"x")
    with pytest.raises(BlobError, match=r"101 bytes, expected at most 100.*most_mb"):
        blobs.put("b", b"x" * 101)
    assert files(tmp_path) == {"a"}


def test_files_of_others_count_for_the_size(tmp_path: Path) -> None:
    BlobStore(tmp_path, 1000).put("others", b"x" * 900)
    aged(tmp_path, "others", 100)
    BlobStore(tmp_path, 1000).put("mine", b"x" * 200)
    assert files(tmp_path) == {"mine"}


def test_old_files_and_what_dead_writers_left_are_purged(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path, 1000)
    for key in ("old", "new"):
        blobs.put(key, b"x")
    aged(tmp_path, "old", 200)
    (tmp_path / "00").mkdir(exist_ok=True)
    for name, seconds in ((".part-old", 7200), (".part-new", 60)):
        (tmp_path / "00" / name).write_bytes(b"half")
        aged(tmp_path, name, seconds)
    assert blobs.purge(older_than_s=100 * 3600) == 1
    assert files(tmp_path) == {"old", "new", ".part-new"}
    assert blobs.purge(older_than_s=100, prefix="x") == 0
    assert blobs.purge(older_than_s=100, prefix="o") == 1
    assert files(tmp_path) == {"new", ".part-new"}
    assert BlobStore(tmp_path / "none", 1000).purge(1) == 0


def test_links_and_strangers_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    blobs = BlobStore(tmp_path / "blobs", 10)
    blobs.put("a", b"x")
    (path,) = (tmp_path / "blobs").rglob("a")
    (path.parent / "link").symlink_to(secret)
    (tmp_path / "blobs" / "elsewhere").symlink_to(tmp_path)
    blobs.put("b", b"x" * 10)
    assert blobs.purge(older_than_s=-1000) == 1
    assert secret.read_bytes() == b"secret"


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    blobs = BlobStore(tmp_path / "file", 1000)
    with pytest.raises(BlobError, match=r"blobs\.dir"):
        blobs.put("a", b"x")
    assert blobs.get("a") is None


def test_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path, 10_000_000)
    blobs.put("a", b"0" * 200_000)
    seen: set[bytes] = set()
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            data = BlobStore(tmp_path, 10_000_000).get("a")
            assert data is not None
            seen.add(bytes(sorted(set(data))) + str(len(data)).encode())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(50):
        blobs.put("a", str(number % 10).encode() * 200_000)
    is_over.set()
    reader.join(30)
    assert seen <= {str(number).encode() + b"200000" for number in range(10)}

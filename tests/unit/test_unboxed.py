from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from maskwatch.errors import ConfigError
from maskwatch.labelled import unboxed
from maskwatch.labelled.unboxed import read_unboxed

LISTS = Path(__file__).parents[2] / "training" / "curated"


@pytest.mark.parametrize("content", [b"no json", b'{"faces": {}}', b'{"a.jpg": [1, 2]}', b"[]"])
def test_list_of_another_form_is_refused(tmp_path: Path, content: bytes) -> None:
    for name, data in (("list.json", content), ("list.json.gz", gzip.compress(content)), ("bad.json.gz", b"\x1f\x8b")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ConfigError, match="not_faces"):
            read_unboxed(tmp_path / name)


def test_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent"):
        read_unboxed(tmp_path / "absent.json.gz")


def test_what_is_no_gzip_or_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list.json.gz").write_bytes(b"{}")
    with pytest.raises(ConfigError, match="not gzip"):
        read_unboxed(tmp_path / "list.json.gz")
    monkeypatch.setattr(unboxed, "MOST_BYTES", 100)
    (tmp_path / "list.json.gz").write_bytes(zlib.compress(b" " * 1000 + b"{}", wbits=31))
    with pytest.raises(ConfigError, match="not JSON"):
        read_unboxed(tmp_path / "list.json.gz")


def test_list_of_the_public_scenes_holds_together() -> None:
    listed = read_unboxed(LISTS / "unboxed-train.json.gz")
    groups = (listed.faces, listed.doubtful, listed.not_faces)
    assert [sum(map(len, group.values())) for group in groups] == [445, 536, 350]
    boxes = [box for group in groups for places in group.values() for box in places]
    assert all(right > left and bottom > top for left, top, right, bottom in boxes)


def test_list_of_faces_alone_has_no_other_places() -> None:
    listed = read_unboxed(LISTS / "unboxed-val.json")
    assert sum(map(len, listed.faces.values())) == 119
    assert not listed.doubtful
    assert not listed.not_faces

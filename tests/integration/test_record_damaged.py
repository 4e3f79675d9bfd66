from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.checks import Status, check_record
from maskwatch.errors import StoreError
from maskwatch.settings import parse_settings
from maskwatch.store import Store

WAY_OUT = "move the file away, put back a copy of the record, or correct store.url"


def test_file_that_is_no_record_is_told_with_a_way_out(tmp_path: Path) -> None:
    file = tmp_path / "record.db"
    file.write_bytes(b"these are my holiday notes\n" * 300)
    found = check_record(parse_settings(f"state_dir: {tmp_path}", {}))
    assert found.status is Status.FAILED
    assert found.text.endswith(f"file is not a database; {WAY_OUT}")
    with Store(f"sqlite:///{file}") as store, pytest.raises(StoreError, match=WAY_OUT):
        store.upgrade()
    assert file.read_bytes().startswith(b"these are my holiday notes")

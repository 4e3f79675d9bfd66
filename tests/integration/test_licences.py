from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.errors import ConfigError
from training.licences import licences_of


def test_file_beside_the_data_states_licences(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "LICENCES").write_text("# of the sets\n\nweb: MIT\nold: CC0 1.0: see there\n")
    (tmp_path / "train" / "LICENCES").write_text("web: Apache-2.0\n")
    stated = licences_of([tmp_path / "train"], ["web", "old", "new"])
    assert stated == {"web": "Apache-2.0", "old": "CC0 1.0: see there", "new": "not stated"}


def test_command_line_comes_first(tmp_path: Path) -> None:
    (tmp_path / "LICENCES").write_text("web: MIT\n")
    assert licences_of([tmp_path], ["web"], ["web=CC BY 4.0"]) == {"web": "CC BY 4.0"}


@pytest.mark.parametrize("statement", ["web", "web=", "moon=MIT"])
def test_statement_of_another_form_is_an_error(tmp_path: Path, statement: str) -> None:
    with pytest.raises(ConfigError, match="expected SOURCE=TEXT with one of the sources web"):
        licences_of([tmp_path], ["web"], [statement])


@pytest.mark.parametrize("content", [b"web MIT\n", b"web:\n", b"\xff\xfe\xff"])
def test_file_of_another_form_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "LICENCES").write_bytes(content)
    with pytest.raises(ConfigError, match=r"LICENCES.*expected"):
        licences_of([tmp_path], ["web"])

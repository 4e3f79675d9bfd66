"""Where the record and the kept files are, as the configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.errors import ConfigError
from maskwatch.settings import parse_settings


def test_record_and_files_are_in_the_state_folder_unless_said_otherwise() -> None:
    settings = parse_settings("state_dir: /var/lib/mw", {})
    assert settings.record_url == "sqlite:////var/lib/mw/record.db"
    assert settings.blobs_folder == Path("/var/lib/mw/blobs")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:///here.db", "sqlite:////etc/mw/here.db"),
        ("sqlite:////srv/there.db", "sqlite:////srv/there.db"),
        ("postgresql://me:pw@db/mw", "postgresql://me:pw@db/mw"),
    ],
)
def test_relative_path_of_the_record_starts_at_the_file(written: str, meant: str) -> None:
    settings = parse_settings(f"store: {{url: '{written}'}}\nblobs: {{dir: kept}}", {}, base=Path("/etc/mw"))
    assert settings.record_url == meant
    assert settings.blobs_folder == Path("/etc/mw/kept")


def test_other_databases_are_refused_without_telling_the_password() -> None:
    with pytest.raises(ConfigError, match="begins with sqlite:/// or postgresql://") as told:
        parse_settings("store: {url: 'mysql://me:s3cret@db/mw'}", {})
    assert "s3cret" not in str(told.value)


def test_password_of_the_record_is_not_in_the_settings_text() -> None:
    assert "s3cret" not in repr(parse_settings("store: {url: 'postgresql://me:s3cret@db/mw'}", {}))

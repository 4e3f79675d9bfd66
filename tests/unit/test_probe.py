"""Asking a source's port whether anybody is there."""

from __future__ import annotations

import pytest

from ingest.probe import answers
from maskwatch.settings.source import parse_source


@pytest.mark.parametrize("host", ["10.0.0..5", "a" * 64 + ".example", ".example"])
def test_host_that_can_be_no_name_does_not_answer(host: str) -> None:
    assert not answers(parse_source(f"rtsp://{host}/stream"))

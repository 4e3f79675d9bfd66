"""Fixtures for every tier; a tier's own are in its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import SHARED


@pytest.fixture
def shared() -> Path:
    """The developers' data folder, or a skip."""
    if not SHARED.exists():
        pytest.skip("needs ../shared, which only the developers have")
    return SHARED

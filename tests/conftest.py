"""Fixtures for every tier; a tier's own are in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import SHARED


@pytest.fixture(scope="session", autouse=True)
def _no_models_of_ones_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever a developer has activated on this machine, tests and the processes they start see the shipped models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def shared() -> Path:
    """The developers' data folder, or a skip."""
    if not SHARED.exists():
        pytest.skip("needs ../shared, which only the developers have")
    return SHARED

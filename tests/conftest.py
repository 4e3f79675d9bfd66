"""Fixtures for every tier; a tier's own are in its folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.support import SHARED


@pytest.fixture(scope="session", autouse=True)
def _no_models_of_ones_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever a developer has activated on this machine, tests and the processes they start see the shipped models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Undo what a verb that was run inside this process did to the log: its stream is closed when the test ends."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root = logging.getLogger()
    for handler in [one for one in root.handlers if type(one) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture
def shared() -> Path:
    """The developers' data folder, or a skip."""
    if not SHARED.exists():
        pytest.skip("needs ../shared, which only the developers have")
    return SHARED

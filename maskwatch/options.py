"""Command-line options that several verbs share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from maskwatch.settings import Settings

__all__ = ["config_option", "settings_from"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def config_option(command: _Command) -> _Command:
    """Add `--config FILE`, whose default is the variable MASKWATCH_CONFIG."""
    return click.option(
        "--config",
        "config",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="MASKWATCH_CONFIG",
        help="The configuration file (YAML).",
    )(command)


def settings_from(config: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings of this process: file, then environment, then `overrides` from the command line.

    Raises:
        ConfigError: as `maskwatch.settings.load_settings`.
    """
    from maskwatch.settings import load_settings  # pydantic takes 0.15 s, which `--help` needn't

    return load_settings(config, os.environ, overrides)

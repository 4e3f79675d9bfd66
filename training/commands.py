"""How the commands of training that aren't verbs say that something is wrong: as `maskwatch` does."""

from __future__ import annotations

from typing import Any

import click

from maskwatch.errors import ConfigError, MaskwatchError

__all__ = ["TrainingCommand"]


class TrainingCommand(click.Command):
    """A command that ends with an error's text, and 2 (configuration) or 1 (all else), in place of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it.

        Raises:
            ClickException: in place of a `MaskwatchError`; click prints it.
        """
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise _ConfigFailure(str(error)) from error
        except MaskwatchError as error:
            raise click.ClickException(str(error)) from error


class _ConfigFailure(click.ClickException):
    exit_code = 2

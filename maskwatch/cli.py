"""The one entry point: looks a verb up by name and hands over.

Verbs are entry points of the group `maskwatch.verbs`, so that `--help` reads names and one-line summaries without
importing a service, and nothing in the kernel imports upwards.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib.metadata import entry_points
from io import TextIOWrapper

import click

from maskwatch import __version__
from maskwatch.errors import ConfigError, MaskwatchError

__all__ = ["main"]

GROUP = "maskwatch.verbs"

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

SUMMARIES = {
    "up": "Run everything on this machine.",
    "ingest": "Read cameras and push their frames.",
    "worker": "Find faces, follow people, classify masks.",
    "recorder": "Keep events, their pictures and numbers of people.",
    "web": "Serve the site, the streams, the API and the metrics.",
    "notify": "Say how notifications fare, or send a test.",
    "report": "Write who wore a mask properly as a file to print and send.",
    "check": "Check the configuration and this machine.",
    "jobs": "Look at recorded videos, write reports, tell receivers.",
    "detect": "Annotate images, folders, videos or a webcam.",
    "evaluate": "Measure detector and classifier on labelled pictures.",
    "train": "Train a classifier from labelled pictures.",
    "export": "Export a classifier to LiteRT and compare both.",
    "models": "List, verify, activate and pull models.",
    "bench": "Measure how fast this machine is.",
}
"""Shown by `--help`; written here because asking the verbs would import them (0.1 to 0.5 s each)."""


class VerbGroup(click.Group):
    """A click group whose commands are entry points, imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the installed verbs, the everyday ones first."""
        installed = {point.name for point in entry_points(group=GROUP)}
        known = [name for name in SUMMARIES if name in installed]
        return known + sorted(installed - set(known))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the verb, or None when there is none of that name."""
        for point in entry_points(group=GROUP, name=cmd_name):
            command = point.load()
            if not isinstance(command, click.Command):
                raise ConfigError(f"verb {cmd_name}: {point.value} is {type(command).__name__}, expected a command")
            return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, SUMMARIES.get(name, "")) for name in self.list_commands(ctx)])


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="maskwatch")
def cli() -> None:
    """Maskwatch watches many cameras and tells who wears a face mask properly.

    Results go to stdout, logs to stderr. Exit codes: 0 done, 1 failed, 2 usage or configuration.
    """


def main(args: list[str] | None = None) -> None:
    """Run one verb and exit with its code.

    Args:
        args: the words after the program's name; None takes them from the command line.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        # A file's name may be no text at all, or hold letters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        cli.main(args=args, prog_name="maskwatch", standalone_mode=True)
    except ConfigError as error:
        click.echo(f"maskwatch: {error}", err=True)
        sys.exit(2)
    except MaskwatchError as error:
        click.echo(f"maskwatch: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in _NO_ROOM or error.filename is not None:
            raise
        click.echo(f"maskwatch: the output can't be written: {error.strerror}; give it a place with room", err=True)
        _throw_away_output()
        sys.exit(1)


def _throw_away_output() -> None:
    """Leave nothing to be written at the end of the process, where Python would fail over it once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

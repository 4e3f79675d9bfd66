"""The verb `ingest`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from maskwatch.options import config_option, settings_from

__all__ = ["ingest"]


@click.command()
@config_option
@click.option(
    "--name",
    help="Of this process, unique among all ingest processes; cameras with `on: NAME` are read by it alone.  "
    "[default: the host's name and a number]",
)
def ingest(config: Path | None, name: str | None) -> None:
    """Read cameras and push their frames.

    Several of these share the cameras of one configuration evenly. The file is watched: edits take effect at once, an
    invalid one is logged and leaves everything as it is.
    """
    from ingest import service
    from maskwatch import log
    from maskwatch.memory import share_heaps
    from maskwatch.service import process_name, stop_on_signals

    share_heaps()
    stop = stop_on_signals()
    settings = settings_from(config)
    log.configure(settings.log, "ingest")
    is_clean = service.run(settings, config, name or process_name(), stop)
    if not is_clean:
        # A reader still waits within FFmpeg. Its thread dies with the process, which must not wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

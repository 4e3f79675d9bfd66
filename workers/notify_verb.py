"""The verb `notify`: how notifications fare, and a test that says what happened."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from maskwatch.options import config_option, settings_from

__all__ = ["notify"]


@click.command()
@config_option
@click.argument("receivers", nargs=-1, metavar="[RECEIVER]...")
@click.option("--test", "is_test", is_flag=True, help="Send each a message that says it is a test.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def notify(config: Path | None, receivers: tuple[str, ...], is_test: bool, as_json: bool) -> None:
    """Say how notifications fare, or send a test.

    RECEIVER is a name below notify.receivers; none means all of them. Without --test the record is asked what waits for
    them, what they were told, and why it failed. With --test each is sent a message now, and what came of it is
    printed; nothing of that is recorded. Exit code 1 if one of them couldn't be told.
    """
    settings = settings_from(config)
    from maskwatch import log
    from maskwatch.errors import ConfigError

    log.configure(settings.log, "notify")
    known = settings.notify.receivers
    if not known:
        raise ConfigError("notify.receivers: nobody is configured; docs/notifications.md tells how")
    for name in receivers:
        if name not in known:
            raise ConfigError(f"no receiver is named {name!r}; notify.receivers has {', '.join(known)}")
    chosen = {name: known[name] for name in receivers or known}
    from workers.notify.faring import fare, try_out

    lines = []
    for found in try_out(chosen) if is_test else fare(settings, chosen):
        lines.append(found)
        if not as_json:
            click.echo(found.text)
    if as_json:
        click.echo(json.dumps({"items": [line.values for line in lines]}, indent=1))
    if not all(line.is_well for line in lines):
        sys.exit(1)

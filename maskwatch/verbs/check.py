"""`maskwatch check`: the configuration and this machine, looked at before anything runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskwatch.options import config_option, settings_from

if TYPE_CHECKING:
    from maskwatch.checks import Check

__all__ = ["check"]

_MARKS = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--probe", is_flag=True, help="Open every enabled camera and read one picture.")
def check(config: Path | None, as_json: bool, probe: bool) -> None:
    """Check the configuration and this machine; nothing is started and nothing is changed.

    Exit code 0 when all is well (warnings included), 1 when something failed, 2 when the configuration is wrong.
    """
    from maskwatch.checks import Check, Status, all_checks

    settings = settings_from(config)
    named = f"{config}: valid" if config else "no file given; environment and defaults are used"
    outcomes: list[Check] = [Check("configuration", Status.OK, named)]
    if not as_json:
        _show(outcomes[0])
    for outcome in all_checks(settings, probe=probe):
        outcomes.append(outcome)
        if not as_json:
            _show(outcome)
    if as_json:
        items = [{"name": o.name, "status": o.status.value, "text": o.text} for o in outcomes]
        click.echo(json.dumps({"items": items}, indent=1))
    if any(outcome.status is Status.FAILED for outcome in outcomes):
        sys.exit(1)


def _show(outcome: Check) -> None:
    click.echo(f"{_MARKS[outcome.status.value]} {outcome.name}: {outcome.text}")

"""`maskwatch up`: all of it on this machine."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from maskwatch.errors import ConfigError
from maskwatch.options import config_option, settings_from

__all__ = ["up"]


@click.command()
@config_option
@click.option("--demo", is_flag=True, help="Show virtual cameras; no camera and no configuration is needed.")
@click.option("--host", help="Where the site listens  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Its port; 0 takes a free one  [default: 8080]")
@click.option("--insecure", is_flag=True, help="Allow a --host that other machines reach, though there is no login.")
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Worker processes  [default: one per core but one; one with a GPU]"
)
@click.option("--state-dir", type=click.Path(path_type=Path, file_okay=False), help="Where data is kept.")
def up(
    config: Path | None,
    demo: bool,
    host: str | None,
    port: int | None,
    insecure: bool,
    workers: int | None,
    state_dir: Path | None,
) -> None:
    """Run everything on this machine: ingest, workers, recorder, jobs, site, and two Redis servers unless configured.

    What dies is started again. Ctrl-C or SIGTERM ends it all within 10 seconds; a second Ctrl-C is quicker.
    """
    if demo and config is not None:
        raise ConfigError("--demo brings its own cameras; give either --demo or --config (MASKWATCH_CONFIG counts too)")
    _run(config, demo, _overrides(host, port, insecure, workers, state_dir))


def _overrides(
    host: str | None, port: int | None, insecure: bool, workers: int | None, state_dir: Path | None
) -> dict[str, Any]:
    """Return what the command line says, in the form of the configuration."""
    web = {"host": host, "port": port, "insecure": True if insecure else None}
    overrides: dict[str, Any] = {
        "web": {key: value for key, value in web.items() if value is not None},
        "worker": {} if workers is None else {"processes": workers},
    }
    if state_dir is not None:
        overrides["state_dir"] = str(state_dir)
    return {key: value for key, value in overrides.items() if value}


def _run(config: Path | None, demo: bool, overrides: dict[str, Any]) -> None:
    from maskwatch import log, machine
    from maskwatch.demo.cameras import write_demo_config
    from maskwatch.embedded import free_port
    from maskwatch.statedir import locked_state_dir

    settings = settings_from(config, overrides)
    log.configure(settings.log, "up")
    port = machine.choose_address(settings.web.host, settings.web.port)
    settings = settings.model_copy(update={"web": settings.web.model_copy(update={"port": port})})
    wishes = machine.Wishes()
    wishes.listen()
    with locked_state_dir(settings.state_dir) as state_dir:
        workers = machine.worker_count(settings.worker)
        plan = machine.Plan(settings, config.resolve() if config else None, state_dir, workers)
        if demo:
            folder = state_dir / "demo"
            camera_port = free_port()
            demo_config = write_demo_config(folder, camera_port, ())
            plan = replace(plan, config=demo_config, demo=machine.Demo(folder, camera_port))
        machine.warn_about(plan)
        machine.run(plan, wishes, os.environ, lambda: _announce(machine.welcome(plan)))


def _announce(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody reads it: no reason to end
        click.echo(text)

"""`maskwatch web`: the site by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from maskwatch.options import config_option, settings_from

__all__ = ["web"]


@click.command()
@config_option
@click.option("--host", help="Where to listen  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one  [default: 8080]")
@click.option("--insecure", is_flag=True, help="Allow a --host that other machines reach, though there is no login.")
@click.option("--name", help="Name of this process among those of its kind  [default: host and process id]")
def web(config: Path | None, host: str | None, port: int | None, insecure: bool, name: str | None) -> None:
    """Serve the site, the streams, the API and the metrics.

    The address is logged on stderr. SIGTERM or Ctrl-C ends all streams and then the process.
    """
    wishes: dict[str, Any] = {"host": host, "port": port, "insecure": True if insecure else None}
    overrides = {key: value for key, value in wishes.items() if value is not None}
    settings = settings_from(config, {"web": overrides} if overrides else {})

    from web.server import run  # Flask, OpenCV and cheroot take 0.4 s, which `--help` needn't

    run(settings, name)

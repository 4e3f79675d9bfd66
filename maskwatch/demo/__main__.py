"""The demo's process, for `up --demo` and for Compose: makes the films, then serves the camera that drops out."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import cv2
import structlog

from maskwatch import log
from maskwatch.demo.cameras import DEMO_CAMERAS, DROPOUT, DROPOUT_PATH, demo_films, write_demo_config
from maskwatch.demo.dropout import DropoutCamera
from maskwatch.demo.film import make_films
from maskwatch.demo.scenes import FPS, frames
from maskwatch.errors import MaskwatchError
from maskwatch.service import stop_on_signals
from maskwatch.settings import load_settings


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("port", type=click.IntRange(1, 65535))
@click.option("--host", help="Serve it to other machines, which know this one by that name, and configure all cameras.")
def main(folder: Path, port: int, host: str | None) -> None:
    """Write the demo cameras' films into FOLDER and serve the camera that drops out on PORT of loopback.

    With --host it is served on every address, and FOLDER gets a cameras.yaml when all films are there.
    """
    stop = stop_on_signals()
    log.configure(load_settings(None, os.environ).log, "demo")
    cv2.setNumThreads(1)  # the services start at the same time
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = make_films(demo_films(folder), lambda: stop.requested)
    structlog.get_logger().info("demo.films_ready", written=written)
    pictures = []
    for picture in frames(DROPOUT.name):
        if stop.requested:
            return
        pictures.append(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
    if host is not None:
        write_demo_config(folder, port, DEMO_CAMERAS, host)
    listen = "127.0.0.1" if host is None else "0.0.0.0"  # noqa: S104 - as asked
    DropoutCamera(pictures, FPS, port, DROPOUT_PATH, host=listen).run(stop.wait)


if __name__ == "__main__":
    try:
        main()
    except MaskwatchError as mistake:
        click.echo(f"maskwatch: {mistake}", err=True)
        sys.exit(1)

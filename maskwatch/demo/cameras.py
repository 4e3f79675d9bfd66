"""Which demo cameras there are, and the configuration through which ingest reads them like any others.

Light to import: the pictures are made by `python -m maskwatch.demo`, a process of its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maskwatch.errors import ConfigError

__all__ = ["DEMO_CAMERAS", "DROPOUT", "DROPOUT_PATH", "DemoCamera", "demo_films", "ready_cameras", "write_demo_config"]

DROPOUT_PATH = "/dropout.mjpg"


@dataclass(frozen=True, slots=True)
class DemoCamera:
    """One virtual camera.

    Attributes:
        name: of the camera.
        shows: what there is to see, for a person.
        is_served: whether it comes over HTTP instead of from a file.
    """

    name: str
    shows: str
    is_served: bool = False


DROPOUT = DemoCamera("dropout", "a camera that goes away for 8 s now and then, and comes back", is_served=True)
DEMO_CAMERAS = (
    DemoCamera("lobby", "somebody without a mask"),
    DemoCamera("ward", "somebody with a mask"),
    DemoCamera("corridor", "nobody, in a changing light"),
    DemoCamera("gate", "two people crossing: one bare, one masked"),
    DemoCamera("office", "somebody whose mask leaves the nose free"),
    DROPOUT,
)


def demo_films(folder: Path) -> dict[str, Path]:
    """Return the film of each camera that is read from a file; the name tells the version of the code that makes it."""
    digest = hashlib.sha256()
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    version = digest.hexdigest()[:10]
    return {camera.name: folder / f"{camera.name}-{version}.mp4" for camera in DEMO_CAMERAS if not camera.is_served}


def ready_cameras(folder: Path) -> tuple[DemoCamera, ...]:
    """Return the cameras whose pictures are there; the served one comes last, its process makes the films first."""
    missing = {name for name, film in demo_films(folder).items() if not film.exists()}
    return tuple(c for c in DEMO_CAMERAS if c.name not in missing and not (c.is_served and missing))


def write_demo_config(folder: Path, port: int, cameras: Sequence[DemoCamera], host: str = "127.0.0.1") -> Path:
    """Write the configuration of some demo cameras, as a whole or not at all: ingest watches it.

    Args:
        folder: where the films are; it's made if need be.
        port: on which `dropout` is served.
        cameras: which are configured.
        host: on which it is.

    Returns:
        The YAML file.

    Raises:
        ConfigError: if it can't be written.
    """
    lines = ["# Written by the demo at every start.", "defaults: {fps: 10, loop: true}", "cameras:"]
    films = demo_films(folder)
    for camera in cameras:
        source = f"http://{host}:{port}{DROPOUT_PATH}" if camera.is_served else films[camera.name].name
        lines += [f"  # {camera.shows}", f"  {camera.name}: {{source: {source}}}"]
    path = folder / "cameras.yaml"
    partial = path.with_suffix(".partial")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise ConfigError(
            f"{path}: can't be written: {error.strerror}; is there room? Another folder is given with --state-dir"
        ) from error
    return path

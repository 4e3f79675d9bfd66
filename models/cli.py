"""The verb `models`: what is here, and whether its files are the ones that their manifests name."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskwatch.errors import ModelError

if TYPE_CHECKING:
    from models.registry import Registry

__all__ = ["models"]

_ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of models. Left out: the shipped ones.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def models() -> None:
    """List and verify the models that are here."""


@models.command("list")
@_ROOT
@_JSON
def list_models(root: Path | None, as_json: bool) -> None:
    """List models with version, kind, input sizes and files. Nothing is loaded."""
    registry = _registry(root)
    rows = [_described(registry, name) for name in registry.names()]
    if as_json:
        click.echo(json.dumps({"root": str(registry.root), "items": rows}, indent=1))
    elif not rows:
        click.echo(f"no models in {registry.root}")
    for row in [] if as_json else rows:
        click.echo(row.get("error") or _line(row))
    if any("error" in row for row in rows):
        sys.exit(1)


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_ROOT
@_JSON
def verify(names: tuple[str, ...], root: Path | None, as_json: bool) -> None:
    """Compare every file with the checksum in its manifest; exit code 1 if one differs."""
    registry = _registry(root)
    wanted = names or registry.names()
    rows = [_verified(registry, name) for name in wanted]
    if as_json:
        click.echo(json.dumps({"root": str(registry.root), "items": rows}, indent=1))
    elif not rows:
        click.echo(f"no models in {registry.root}")
    for row in [] if as_json else rows:
        click.echo(f"{row['name']}: {'ok, ' + str(row['files']) + ' files' if row['ok'] else row['error']}")
    if not all(row["ok"] for row in rows):
        sys.exit(1)


def _registry(root: Path | None) -> Registry:
    from models.registry import Registry

    return Registry(root)


def _described(registry: Registry, name: str) -> dict[str, Any]:
    """Return one model's manifest in short, or why it can't be used."""
    try:
        manifest = registry.get(name).manifest
    except ModelError as error:
        return {"name": name, "error": str(error)}
    return {
        "name": name,
        "version": manifest.version,
        "kind": manifest.kind.value,
        "labels": list(manifest.labels),
        "sizes_wh": [list(size) for size in manifest.input.sizes_wh],
        "engines": sorted({file.engine.value for file in manifest.files}),
        "size_bytes": sum(file.size_bytes for file in manifest.files),
        "licence": manifest.licence,
    }


def _verified(registry: Registry, name: str) -> dict[str, Any]:
    """Return whether one model's files are the ones its manifest names."""
    try:
        return {"name": name, "ok": True, "files": len(registry.verify(name))}
    except ModelError as error:
        return {"name": name, "ok": False, "error": str(error)}


def _line(row: dict[str, Any]) -> str:
    sizes = ", ".join(f"{w}x{h}" for w, h in row["sizes_wh"])
    engines = ", ".join(row["engines"])
    return f"{row['name']} {row['version']}: {row['kind']}, {sizes} px, {engines}, {row['size_bytes'] / 1e6:.1f} MB"

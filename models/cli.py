"""The verb `models`: what is here, whether it is unchanged, which model is active, and what can be fetched."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskwatch.errors import ModelError
from maskwatch.options import config_option, settings_from

if TYPE_CHECKING:
    from models.pulled import Pullable
    from models.registry import Registry
    from models.store import ModelStore

__all__ = ["models"]

_ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Look in this folder of models only.  [default: yours (models.dir), then the shipped ones]",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def models() -> None:
    """List, verify, activate and pull models."""


@models.command("list")
@config_option
@_ROOT
@_JSON
def list_models(config: Path | None, root: Path | None, as_json: bool) -> None:
    """List models with version, kind, input sizes and files, and which are active. Nothing is loaded."""
    from models.pulled import PULLABLE

    store = None if root else _store(config)
    registry = _registry(store, root)
    active, problem = _active_folders(store)
    rows = [_described(registry, name, active) for name in registry.names()]
    rows += [_pullable(wanted, registry) for wanted in PULLABLE.values()] if store else []
    if problem:
        rows.append({"name": "active.json", "error": problem})
    if as_json:
        click.echo(json.dumps({"roots": [str(one) for one in registry.roots], "items": rows}, indent=1))
    elif not rows:
        click.echo(f"no models in {registry.root}")
    for row in [] if as_json else rows:
        click.echo(row.get("error") or _line(row))
    if any("error" in row for row in rows):
        sys.exit(1)


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@config_option
@_ROOT
@_JSON
def verify(names: tuple[str, ...], config: Path | None, root: Path | None, as_json: bool) -> None:
    """Compare every file with its checksum; exit code 1 if one differs."""
    from models.pulled import PULLABLE, find_pulled

    registry = _registry(None if root else _store(config), root)
    fetched = [one.name for one in PULLABLE.values() if find_pulled(one, registry.roots)]
    rows = [_verified(registry, name) for name in names or (*registry.names(), *fetched)]
    if as_json:
        click.echo(json.dumps({"roots": [str(one) for one in registry.roots], "items": rows}, indent=1))
    elif not rows:
        click.echo(f"no models in {registry.root}")
    for row in [] if as_json else rows:
        click.echo(f"{row['name']}: {'ok, ' + str(row['files']) + ' files' if row['ok'] else row['error']}")
    if not all(row["ok"] for row in rows):
        sys.exit(1)


@models.command()
@click.argument("name", required=False)
@click.option("--default", "is_default", is_flag=True, help="Go back to the shipped classifier and detector.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "litert", "keras"]),
    help="What to try it on.  [default: what workers use, worker.engine]",
)
@config_option
def activate(name: str | None, is_default: bool, engine: str | None, config: Path | None) -> None:
    """Make NAME the classifier, or the detector, that workers use; which of the two it is, the model itself says.

    Its checksums, labels and input are checked and it is run once, in a process of its own. Workers that run take it
    between two batches, within seconds and without losing a frame; each looks for itself, and stays with the model it
    has if it can't use the new one.
    """
    if is_default == (name is not None):
        raise click.UsageError("give either the NAME of a model or --default")
    settings = settings_from(config, {"worker": {"engine": engine}} if engine else {})
    from maskwatch import log
    from models.store import ModelStore

    log.configure(settings.log, "models")

    store = ModelStore(settings.models_folder)
    if name is None:
        store.activate_shipped()
        click.echo("the shipped models are active")
        return
    from models.activate import activate as activate_model
    from models.engines import choose_engine

    chosen = choose_engine(settings.worker.engine, settings.worker.engine_fallback)
    entry = activate_model(store, name, chosen)
    click.echo(f"{entry.label} is the active {entry.manifest.kind} (tried on engine {chosen})")


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "is_all", is_flag=True, help="Everything that can be pulled.")
@click.option("--from", "source", metavar="URL|FILE", help="In place of the published address; the checksum stays.")
@config_option
def pull(names: tuple[str, ...], is_all: bool, source: str | None, config: Path | None) -> None:
    """Fetch models of others that aren't shipped, from fixed addresses, by checksum: yunet."""
    from models.pull import pull as pull_one
    from models.pulled import PULLABLE

    wanted = tuple(PULLABLE) if is_all else names
    unknown = [name for name in wanted if name not in PULLABLE]
    if not wanted or unknown:
        what = f"unknown: {', '.join(unknown)}; " if unknown else ""
        raise click.UsageError(f"{what}give a NAME or --all; there is: {', '.join(PULLABLE)}")
    if source is not None and len(wanted) != 1:
        raise click.UsageError("--from goes with one NAME")
    folder = settings_from(config).models_folder
    for name in wanted:
        one = PULLABLE[name]
        with _bar(one) as progress:
            path = pull_one(one, folder, source, progress.update_to)
        click.echo(f"{one.name} {one.version} is in {path} ({one.licence})")


class _bar:
    """A progress bar on stderr, on a terminal only."""

    def __init__(self, wanted: Pullable) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=wanted.size_bytes, unit="B", unit_scale=True, desc=wanted.name, disable=None)

    def __enter__(self) -> _bar:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._bar.close()

    def update_to(self, count: int) -> None:
        """Show that so many bytes came."""
        self._bar.update(count - self._bar.n)


def _store(config: Path | None) -> ModelStore:
    from models.store import ModelStore

    return ModelStore(settings_from(config).models_folder)


def _registry(store: ModelStore | None, root: Path | None) -> Registry:
    from models.registry import Registry

    return Registry(root) if store is None else store.registry


def _active_folders(store: ModelStore | None) -> tuple[set[Path], str]:
    """Return the folders of the active models, and what is wrong with the note that says so."""
    from models.manifest import ModelKind

    folders, problem = set(), ""
    if store is not None:
        try:
            active = store.active()
            for kind in ModelKind:
                folders.add(store.entry(kind, active.of(kind)).folder)
        except ModelError as error:
            problem = str(error)
    return folders, problem


def _described(registry: Registry, name: str, active: set[Path]) -> dict[str, Any]:
    """Return one model's manifest in short, or why it can't be used."""
    try:
        entry = registry.get(name)
    except ModelError as error:
        return {"name": name, "error": str(error)}
    manifest = entry.manifest
    return {
        "name": name,
        "version": manifest.version,
        "kind": manifest.kind.value,
        "active": entry.folder in active,
        "labels": list(manifest.labels),
        "sizes_wh": [list(size) for size in manifest.input.sizes_wh],
        "engines": sorted({file.engine.value for file in manifest.files}),
        "size_bytes": sum(file.size_bytes for file in manifest.files),
        "licence": manifest.licence,
        "folder": str(entry.folder),
    }


def _pullable(wanted: Pullable, registry: Registry) -> dict[str, Any]:
    """Return one file of others in short, and whether it was pulled; it isn't read."""
    from models.pulled import find_pulled

    path = find_pulled(wanted, registry.roots)
    return {
        "name": wanted.name,
        "version": wanted.version,
        "about": wanted.about,
        "pulled": path is not None,
        "size_bytes": wanted.size_bytes,
        "licence": wanted.licence,
        "folder": str(path.parent) if path else None,
    }


def _verified(registry: Registry, name: str) -> dict[str, Any]:
    """Return whether one model's files are the ones its manifest names."""
    from models.pulled import PULLABLE, read_pulled

    try:
        if name in PULLABLE and name not in registry.names():
            read_pulled(PULLABLE[name], registry.roots)
            return {"name": name, "ok": True, "files": 1}
        return {"name": name, "ok": True, "files": len(registry.verify(name))}
    except ModelError as error:
        return {"name": name, "ok": False, "error": str(error)}


def _line(row: dict[str, Any]) -> str:
    megabytes = f"{row['size_bytes'] / 1e6:.1f} MB"
    if "pulled" in row:
        state = "pulled" if row["pulled"] else f"not here; run: maskwatch models pull {row['name']}"
        return f"{row['name']} {row['version']}: {row['about']}, {megabytes}, {state}"
    sizes = ", ".join(f"{w}x{h}" for w, h in row["sizes_wh"])
    engines = ", ".join(row["engines"])
    mark = ", active" if row["active"] else ""
    return f"{row['name']} {row['version']}: {row['kind']}, {sizes} px, {engines}, {megabytes}{mark}"

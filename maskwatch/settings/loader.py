"""From a YAML file and the environment to checked settings, with errors that name the key, the line and a near key."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from maskwatch.errors import ConfigError
from maskwatch.settings.complaints import complaint
from maskwatch.settings.model import CameraSettings, Settings
from maskwatch.settings.places import KeyPath, Places
from maskwatch.settings.rules import AtKey
from maskwatch.settings.source import scrub

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["load_settings", "parse_settings"]

ENV_PREFIX = "MASKWATCH_"
SECRETS_VARIABLE = "MASKWATCH_SECRETS"
"""Folders, with : between them, of files that `${NAME}` is looked for in where there is no variable NAME.

The file's name is NAME, its text the value: so Docker and Kubernetes hand over secrets, which the environment of a
container would show to everybody who may look at it.
"""
ENV_OF_TOOLS = frozenset({"MASKWATCH_REQUIRE_ALL", "MASKWATCH_CONFIG", SECRETS_VARIABLE})
"""Variables with our prefix that are no settings: the test suite's, the default of `--config`, where secrets are."""

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
_MAX_FILE_BYTES = 4 << 20

_MAX_NODES = 100_000
"""Aliases can make a short file mean billions of values."""


def load_settings(
    path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Read the configuration file and lay the environment and the command line over it.

    Args:
        path: the YAML file; None means an empty file.
        environ: the environment, `os.environ` in production.
        overrides: nested values from the command line, e.g. `{"web": {"port": 9000}}`; they win.

    Returns:
        Frozen settings with absolute `base`.

    Raises:
        ConfigError: naming file, line, key and what was expected; never a secret.
    """
    if path is None:
        return parse_settings("", environ, overrides=overrides)
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ConfigError(f"{path}: {path.stat().st_size} bytes, expected at most {_MAX_FILE_BYTES}")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}; give the file with --config FILE") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    return parse_settings(text, environ, name=str(path), base=path.resolve().parent, overrides=overrides)


def parse_settings(
    text: str,
    environ: Mapping[str, str],
    *,
    name: str = "configuration",
    base: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Parse the text of a configuration file.

    Args:
        text: YAML.
        environ: the environment, for `${NAME}` and for `MASKWATCH_...`.
        name: what to call the text in errors.
        base: folder that relative paths start from; None means the current one.
        overrides: nested values that win over file and environment.

    Returns:
        Frozen settings.

    Raises:
        ConfigError: as `load_settings`.
    """
    places = Places(name)
    data = _parse_yaml(text, places)
    _overlay(data, _from_environment(environ, places))
    _overlay(data, dict(overrides or {}))
    _apply_defaults(data, places)
    data = _expand(data, (), environ, places)
    if "base" in data:
        raise ConfigError(f"{places.of(('base',))}: unknown key 'base'")
    if base is not None:
        data["base"] = base
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_messages(error, places))) from None


def _parse_yaml(text: str, places: Places) -> dict[str, Any]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        where = f"{places.name}:{text.count(chr(10), 0, error.position) + 1}"
        raise ConfigError(f"{where}: holds the character U+{error.character:04X}; is this a text file?") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{places.name}:{mark.line + 1}" if mark else places.name
        raise ConfigError(f"{where}: not valid YAML: {getattr(error, 'problem', None) or 'unreadable'}") from None
    if node is None:
        return {}
    value = _plain(node, (), places, depth=0)
    if value is None:
        return {}
    if not isinstance(value, dict):
        what = "a list" if isinstance(value, list) else "text" if isinstance(value, str) else type(value).__name__
        raise ConfigError(f"{places.name}:1: expected keys such as cameras:, received {what}")
    return value


def _plain(node: yaml.Node, path: KeyPath, places: Places, depth: int) -> Any:
    """Turn a YAML node into plain values, noting the line of each key and refusing a key given twice."""
    lines, name = places.lines, places.name
    lines[path] = node.start_mark.line + 1
    if len(lines) > _MAX_NODES:
        raise ConfigError(f"{name}:{lines[path]}: more than {_MAX_NODES} values")
    if depth > 16:
        raise ConfigError(f"{name}:{lines[path]}: nested more than 16 deep")
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(f"{name}:{line}: expected a word as key, received a list or keys")
            if key in result:
                what = "camera" if path == ("cameras",) else "key"
                raise ConfigError(
                    f"{name}:{line}: {what} {key!r} is given twice (first in line {lines[(*path, key)]}); rename one"
                )
            result[key] = _plain(value_node, (*path, key), places, depth + 1)
            lines[(*path, key)] = line
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, str(i)), places, depth + 1) for i, item in enumerate(node.value)]
    if "\0" in node.value:
        raise ConfigError(f"{name}:{lines[path]}: holds the character U+0000, which no path and no name has")
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError):
        raise ConfigError(f"{name}:{lines[path]}: this value can't be read; put it in quotes") from None


def _from_environment(environ: Mapping[str, str], places: Places) -> dict[str, Any]:
    """Collect MASKWATCH_A__B=value as {"a": {"b": value}}, noting where from; values are YAML scalars."""
    data: dict[str, Any] = {}
    for variable in sorted(environ):
        if not variable.startswith(ENV_PREFIX) or variable in ENV_OF_TOOLS:
            continue
        words = variable[len(ENV_PREFIX) :].split("__")
        keys: KeyPath = ()
        for word in words:
            keys = (*keys, word if _are_names(keys) else word.lower())
        _check_environment_name(variable, keys)
        target = data
        for key in keys[:-1]:
            target = target.setdefault(key, {})
            if not isinstance(target, dict):
                raise ConfigError(f"environment variable {variable}: {key} is set as a whole by another; unset one")
        text = environ[variable]
        # Compose and Kubernetes can leave a value out only by leaving it empty.
        target[keys[-1]] = text if text and _is_secret(keys) else _scalar(text)
        places.origins[keys] = variable
    return data


def _scalar(text: str) -> Any:
    if "://" in text or text.startswith("/"):
        return text  # a password or a folder's name may look like YAML
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _is_secret(path: KeyPath) -> bool:
    """Tell whether a value is a secret, which is taken as it is: a password may look like YAML."""
    model, is_names = _model_at(path[:-1])
    key = path[-1]
    if is_names:
        model, key = _model_at(path[:-2])[0], path[-2]
    field = model.model_fields.get(key)
    return field is not None and SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))


def _check_environment_name(variable: str, keys: KeyPath) -> None:
    """Refuse a variable that names no setting; otherwise a misspelt one would silently do nothing."""
    known = [*(n for n in Settings.model_fields if n != "base"), "defaults"]
    for depth, key in enumerate(keys):
        if not _are_names(keys[:depth]) and key not in known:
            start = ENV_PREFIX + "".join(f"{k if k != keys[0] else k.upper()}__" for k in keys[:depth])
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {start.upper() if depth < 2 else start}{near[0].upper()}?" if near else ""
            raise ConfigError(f"environment variable {variable}: no setting of that name{hint}")
        known = _fields_at(keys[: depth + 1])


def _overlay(data: dict[str, Any], top: Mapping[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, Mapping) and isinstance(data.get(key), dict):
            _overlay(data[key], value)
        else:
            data[key] = dict(value) if isinstance(value, Mapping) else value


def _apply_defaults(data: dict[str, Any], places: Places) -> None:
    """Lay `defaults:` under every camera; the keys of `defaults:` itself are checked here."""
    lines = places.lines
    defaults = data.pop("defaults", None) or {}
    if not isinstance(defaults, dict):
        raise ConfigError(f"{places.of(('defaults',))}: defaults: expected keys such as fps:")
    allowed = [field for field in CameraSettings.model_fields if field != "source"]
    for key in defaults:
        if key not in allowed:
            raise ConfigError(f"{places.of(('defaults', key))}: defaults: {_unknown(key, allowed)}")
    cameras = data.get("cameras")
    if cameras is None:
        data.pop("cameras", None)
        return
    if isinstance(cameras, dict):
        for camera, options in cameras.items():
            if isinstance(options, dict):
                cameras[camera] = _inherited(defaults, options)
                for path in [path for path in lines if path[:1] == ("defaults",) and len(path) > 1]:
                    own = ("cameras", camera, *path[1:])
                    if own not in lines:
                        lines[own] = lines[path]
                        places.inherited.add(own)


def _inherited(defaults: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a camera's keys over the defaults; of a part such as `motion` or a rule each key is inherited by itself."""
    both = {**defaults, **options}
    for key, default in defaults.items():
        own = options.get(key)
        if isinstance(default, dict) and isinstance(own, dict):
            both[key] = _inherited(default, own)
    return both


def _expand(value: Any, path: KeyPath, environ: Mapping[str, str], places: Places) -> Any:
    """Replace ${NAME} in every text; in the user part of a URL the value is percent-encoded."""
    if isinstance(value, dict):
        return {key: _expand(item, (*path, key), environ, places) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, (*path, str(i)), environ, places) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    if path in places.origins and "://" not in value and _is_secret(path):
        return value  # a password in a variable is taken as it is, however it looks
    user_part_ends = value.rfind("@") if "://" in value else -1

    def replace(match: re.Match[str]) -> str:
        secret = _secret(match["name"], environ, f"{places.of(path)}: {'.'.join(path)}")
        return quote(secret, safe="") if match.start() < user_part_ends else secret

    return _VARIABLE.sub(replace, value)


def _secret(variable: str, environ: Mapping[str, str], where: str) -> str:
    """Return what `${variable}` stands for: the environment's value, else the text of the file of that name.

    Raises:
        ConfigError: beginning with `where`, if there is neither, or the file can't be read.
    """
    if variable in environ:
        return environ[variable]
    folders = environ.get(SECRETS_VARIABLE, "")
    for folder in filter(None, folders.split(os.pathsep)):
        file = Path(folder) / variable
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ConfigError(f"{where}: {file} can't be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{where}: {file} is not UTF-8 text (byte {error.start})") from None
    nor_file = f", and there is no file of that name in {folders}" if folders else ""
    raise ConfigError(f"{where}: environment variable {variable} is not set{nor_file}")


def _unknown(key: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(key, allowed, n=1)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(allowed)}")


def _messages(error: ValidationError, places: Places) -> list[str]:
    """Return what is wrong, a line each; what all cameras have from `defaults` is told once."""
    messages: dict[tuple[KeyPath, str, str], str] = {}
    found = error.errors(include_url=False)
    wrong_parts = {tuple(problem["loc"])[:length] for problem in found for length in range(len(problem["loc"]))}
    for problem in found:
        if problem["type"] == "too_short" and tuple(problem["loc"]) in wrong_parts:
            continue  # pydantic counts only what is right
        path = tuple(str(part) for part in problem["loc"] if part != "[key]")
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, AtKey):
            path += cause.path
        shared = path[2:] if path[:1] == ("cameras",) and places.is_inherited(path) else path
        told = (shared, problem["type"], problem["msg"])
        messages.setdefault(told, f"{places.of(path)}: {scrub(_said(problem, path))}")
    return list(messages.values())


def _said(problem: ErrorDetails, path: KeyPath) -> str:
    key = ".".join(path)
    above = ".".join(path[:-1]) or "top level"
    if problem["type"] == "extra_forbidden":
        return f"{above}: {_unknown(path[-1], _fields_at(path[:-1]))}"
    if problem["type"] == "missing":
        return f"{above}: key {path[-1]!r} is missing"
    if problem["type"] == "string_pattern_mismatch" and _are_names(path[:-1]):
        what, most = ("camera", 63) if len(path) == 2 else (path[-2].removesuffix("s"), 32)
        return f"{what} name {path[-1]!r}: expected letters, digits, - and _ (at most {most}, not first - or _)"
    return f"{key or 'top level'}: {complaint(problem, _fields_at(path))}"


def _fields_at(path: KeyPath) -> list[str]:
    """Return the keys that may stand below a key; none where any name may."""
    if path == ("defaults",):
        return [field for field in CameraSettings.model_fields if field != "source"]
    model, is_names = _model_at(path)
    if is_names:
        return []
    names = [field.alias or name for name, field in model.model_fields.items() if name != "base"]
    return [*names, "defaults"] if model is Settings else names


def _are_names(path: KeyPath) -> bool:
    """Tell whether what stands below a key are names that the user gives: of cameras, zones, rules."""
    return _model_at(path)[1]


def _model_at(path: KeyPath) -> tuple[type[BaseModel], bool]:
    """Return the model of what stands at a key, and whether it is a mapping of names to such models."""
    model: type[BaseModel] = Settings
    is_names = False
    if path[:1] == ("defaults",):
        model, path = CameraSettings, path[1:]
    for key in path:
        if is_names:
            is_names = False
            continue
        field = model.model_fields.get(key)
        annotation = field.annotation if field else None
        is_names = getattr(annotation, "__origin__", None) is dict
        args = [a for a in (annotation, *getattr(annotation, "__args__", ())) if isinstance(a, type)]
        model = next((a for a in args if issubclass(a, BaseModel)), Settings)
    return model, is_names

"""What `maskwatch check` looks at: one function for each thing, each answering with a status and a sentence."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from maskwatch.embedded import find_server
from maskwatch.errors import ConfigError, MaskwatchError, SourceAuthError, SourceError, SourceUnsupported
from maskwatch.machine import SINGLE_REDIS_COST, choose_address, worker_count
from maskwatch.settings import CameraSettings, ReceiverSettings, RedisSettings, Settings, SourceKind
from maskwatch.settings.model import is_loopback

__all__ = [
    "Check",
    "Status",
    "all_checks",
    "check_cameras",
    "check_login",
    "check_receivers",
    "check_record",
    "check_redis",
]

PACKAGES = (
    "av",
    "cheroot",
    "click",
    "flask",
    "msgpack",
    "numpy",
    "opencv-python-headless",
    "pydantic",
    "redis",
    "scipy",
    "sqlalchemy",
)
"""Those whose versions explain most problems."""
_MODELS_TIMEOUT_S = 60.0
_PROBES_AT_ONCE = 8
_GOOD_PASSWORD = 12
"""Characters, for what everybody on a network may try."""


class Status(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check.

    Attributes:
        name: what was looked at.
        status: how it went.
        text: what was found, for a person; what to do about it unless all is well.
    """

    name: str
    status: Status
    text: str


def all_checks(settings: Settings, *, probe: bool) -> Iterator[Check]:
    """Look at everything, cheap things first.

    Args:
        settings: the configuration, valid.
        probe: whether to open every enabled camera, which takes up to its time-out.

    Yields:
        One outcome after the other.
    """
    with ThreadPoolExecutor(1) as pool:
        models = pool.submit(_models, settings)  # another process reads all of their files, which takes longest
        yield _python(settings)
        yield from _packages()
        yield _engines()
        yield _state_dir(settings.state_dir)
        yield _address(settings)
        yield check_login(settings)
        yield from check_redis(settings.redis)
        yield check_record(settings)
        yield models.result()
    yield from check_receivers(settings)
    yield from check_cameras(settings, probe=probe)


def check_redis(redis: RedisSettings | None) -> Iterator[Check]:
    """Look at the configured servers, or at the one that `up` would start.

    Yields:
        One outcome for each server.
    """
    if redis is None:
        yield _guarded("redis", lambda: f"none configured; `maskwatch up` starts its own ({find_server().name})")
        return
    if redis.is_single:
        yield Check("redis", Status.WARNING, f"{SINGLE_REDIS_COST}; give redis: {{live: URL, durable: URL}}")
        yield _redis_server("redis", redis.live.get_secret_value(), None)
        return
    yield _redis_server("redis live", redis.live.get_secret_value(), False)
    yield _redis_server("redis durable", redis.durable.get_secret_value(), True)


def check_login(settings: Settings) -> Check:
    """Look at who gets into the site, and how well what lets them in is kept."""
    from maskwatch.settings.web_secrets import read_web_secrets

    web = settings.web
    try:
        secrets = read_web_secrets(settings)
    except ConfigError as error:
        return Check("login", Status.FAILED, str(error))
    here = f"{web.host}:{web.port}"
    if not secrets.has_login and web.insecure and not is_loopback(web.host):
        text = f"web.insecure: everybody who reaches {here} sees every camera; set web.password or web.password_file"
        return Check("login", Status.WARNING, text)
    if not secrets.has_login:
        return Check("login", Status.OK, f"none; {here} is reached from this machine only")
    programs = f"tokens of {', '.join(secrets.tokens)}" if secrets.tokens else ""
    ways = " and ".join(filter(None, ("a password" if secrets.password else "", programs)))
    if secrets.password is not None and len(secrets.password) < _GOOD_PASSWORD:
        text = f"{ways}; the password has fewer than {_GOOD_PASSWORD} characters: some words in a row are better"
        return Check("login", Status.WARNING, text)
    if not is_loopback(web.host) and not web.proxies:
        text = f"{ways}, which travel unencrypted; put a proxy with TLS in front, and say so with web.proxies"
        return Check("login", Status.WARNING, text)
    if web.insecure:
        return Check("login", Status.WARNING, f"{ways}; web.insecure does nothing beside a login, leave it out")
    return Check("login", Status.OK, ways)


def check_record(settings: Settings) -> Check:
    """Look at the record's database; a file that isn't there yet is made by the first recorder."""
    url = settings.record_url
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not os.path.exists(path):
        return Check("record", Status.OK, f"SQLite {path}, which the first `maskwatch recorder` makes")
    from maskwatch.store import Store  # SQLAlchemy takes 0.3 s, which nothing before needs

    try:
        with Store(url) as store:
            version = store.schema_version()
            place = store.place
    except MaskwatchError as error:
        return Check("record", Status.FAILED, str(error))
    found = (
        f"its tables are of version {version}" if version else "its tables are made by the first `maskwatch recorder`"
    )
    return Check("record", Status.OK, f"{place}; {found}")


def check_receivers(settings: Settings) -> Iterator[Check]:
    """Look at those who are told of events, without telling them anything.

    Yields:
        One outcome for each receiver, in the configuration's order.
    """
    for name, receiver in settings.notify.receivers.items():
        status, said = _receiver(receiver, settings)
        yield Check(f"receiver {name}", status, f"{receiver.shown}, of {', '.join(receiver.events)}{said}")


def check_cameras(settings: Settings, *, probe: bool) -> Iterator[Check]:
    """Look at each camera's source, opening it if asked.

    Yields:
        One outcome for each camera, in the configuration's order.
    """
    if not settings.cameras:
        yield Check("cameras", Status.WARNING, "none configured; cameras.example.yaml explains the keys")

    def look(item: tuple[str, CameraSettings]) -> Check:
        name, camera = item
        return _camera(name, camera, settings.base, probe=probe and camera.enabled)

    with ThreadPoolExecutor(_PROBES_AT_ONCE, thread_name_prefix="probe") as pool:
        yield from pool.map(look, settings.cameras.items())


def _python(settings: Settings) -> Check:
    cores = len(os.sched_getaffinity(0))
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    workers = worker_count(settings.worker)
    return Check(
        "machine",
        Status.OK,
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {cores} cores, "
        f"{memory_gib:.0f} GiB; `up` starts {workers} worker{'s' if workers > 1 else ''}",
    )


def _packages() -> Iterator[Check]:
    found, missing = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        yield Check("packages", Status.FAILED, f"missing: {', '.join(missing)}; run `pip install .` again")
    yield Check("packages", Status.OK, ", ".join(found))


def _engines() -> Check:
    litert = importlib.util.find_spec("ai_edge_litert") is not None
    keras = importlib.util.find_spec("tensorflow") is not None
    names = [name for name, here in (("litert (CPU)", litert), ("keras (TensorFlow)", keras)) if here]
    if not names:
        return Check("engines", Status.FAILED, "none is installed; run `pip install .` again, it brings litert")
    return Check("engines", Status.OK, " and ".join(names) + " installed")


def _models(settings: Settings) -> Check:
    """Ask the verb of the package that owns the models; this one may not import it."""
    argv = [sys.executable, "-P", "-m", "maskwatch", "models", "verify", "--json"]
    environ = {**os.environ, "MASKWATCH_MODELS__DIR": str(settings.models_folder)}
    try:
        done = subprocess.run(  # noqa: S603
            argv, env=environ, capture_output=True, timeout=_MODELS_TIMEOUT_S, check=False, text=True
        )
        items = json.loads(done.stdout)["items"]
    except subprocess.TimeoutExpired:
        return Check("models", Status.FAILED, f"checking their files took more than {_MODELS_TIMEOUT_S:.0f} s")
    except (ValueError, KeyError, TypeError):
        return Check("models", Status.FAILED, f"can't be checked: {done.stderr.strip()[-300:]}")
    bad = [str(item.get("error")) for item in items if not item["ok"]]
    if bad:
        return Check("models", Status.FAILED, "; ".join(bad))
    if not items:
        return Check("models", Status.FAILED, "none is here; install the package again")
    return Check("models", Status.OK, "checksums agree: " + ", ".join(item["name"] for item in items))


def _state_dir(state_dir: Path) -> Check:
    folder = state_dir.expanduser().absolute()
    # Not Path.exists, which fails where a folder above may not be entered.
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not os.path.isdir(existing) or not os.access(existing, os.W_OK):
        return Check("state_dir", Status.FAILED, f"{folder} can't be written; set state_dir")
    return Check("state_dir", Status.OK, str(folder))


def _address(settings: Settings) -> Check:
    web = settings.web
    try:
        choose_address(web.host, web.port)
    except ConfigError as error:
        return Check("address", Status.WARNING, f"{error} (is Maskwatch running already?)")
    return Check("address", Status.OK, f"{web.host}:{web.port} is free")


def _redis_server(name: str, url: str, wants_aof: bool | None) -> Check:
    from maskwatch.broker.connect import address_of, connect, server_problems, translated

    try:
        with connect(url) as client:
            problems = server_problems(client)
            with translated(client, "reading its persistence"):
                has_aof = bool(client.info("persistence").get("aof_enabled"))
            address = address_of(client)
    except MaskwatchError as error:
        return Check(name, Status.FAILED, str(error))
    if problems:
        return Check(name, Status.FAILED, "; ".join(problems))
    if wants_aof is True and not has_aof:
        text = f"{address} has no append-only file: events may be lost; set `appendonly yes`, `appendfsync always`"
        return Check(name, Status.WARNING, text)
    if wants_aof is False and has_aof:
        text = f"{address} has an append-only file and would write every frame to disk; set `appendonly no`"
        return Check(name, Status.WARNING, text)
    return Check(name, Status.OK, f"{address} answers")


def _camera(name: str, camera: CameraSettings, base: Path, *, probe: bool) -> Check:
    source = camera.parsed(base)
    what = f"{source.kind.value} {camera.shown_source}, {camera.fps:g} fps, at most {camera.width} px wide"
    if not camera.enabled:
        return Check(f"camera {name}", Status.OK, f"{what}; disabled")
    if probe:
        status, found = _probe(camera, base)
        return Check(f"camera {name}", status, f"{what}: {found}")
    if source.kind is SourceKind.VIDEO and not os.path.exists(source.location):
        return Check(
            f"camera {name}",
            Status.FAILED,
            f"{what}: {source.location} does not exist or is out of reach; check the path and its permissions",
        )
    if source.kind is SourceKind.WEBCAM and not os.path.exists(source.location):
        return Check(f"camera {name}", Status.WARNING, f"{what}: {source.location} is not plugged in")
    return Check(f"camera {name}", Status.OK, what)


def _receiver(receiver: ReceiverSettings, settings: Settings) -> tuple[Status, str]:
    if receiver.apprise is not None:
        from apprise import Apprise  # takes 0.5 s, which only those pay who use it

        if not Apprise().add(receiver.apprise.get_secret_value()):
            return Status.FAILED, "; Apprise can't read this address, see https://github.com/caronc/apprise/wiki"
    cameras = settings.cameras.values()
    zones = {zone for camera in cameras for zone in camera.zones}
    rules = {rule.name for camera in cameras for rule in camera.rule_values}
    for what, wanted, known in (
        ("camera", receiver.cameras, settings.cameras.keys()),
        ("zone", receiver.zones, zones),
        ("rule", receiver.rules, rules),
    ):
        missing = [name for name in wanted if name not in known]
        if missing:
            return Status.WARNING, f"; it waits for news of {what} {', '.join(missing)}, which there is none of"
    if receiver.is_open_to_read:
        return Status.WARNING, "; not encrypted: everybody on the way can read it, pictures too"
    return Status.OK, "; `maskwatch notify --test` tries it out"


def _probe(camera: CameraSettings, base: Path) -> tuple[Status, str]:
    """Open the camera and read one picture, as ingest would."""
    from maskwatch.media.open import open_source

    try:
        with open_source(
            camera.parsed(base),
            timeout_s=camera.timeout_s,
            transport=camera.transport,
            width=None,
            rotate=camera.rotate,
        ) as opened:
            frame = opened.read()
    except SourceAuthError as error:
        return Status.FAILED, f"auth_failed: {error}"
    except SourceUnsupported as error:
        return Status.FAILED, f"unsupported: {error}"
    except SourceError as error:
        return Status.FAILED, f"offline: {error}"
    if frame is None:
        return Status.FAILED, "ended: it holds no picture"
    return Status.OK, f"live, {frame.size_wh[0]} x {frame.size_wh[1]} pixels"


def _guarded(name: str, find: Callable[[], str]) -> Check:
    try:
        return Check(name, Status.OK, find())
    except ConfigError as error:
        return Check(name, Status.FAILED, str(error))

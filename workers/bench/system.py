"""`bench system`: the real processes with the real brokers, fed by films or by prepared JPEGs."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from maskwatch.broker.connect import connect
from maskwatch.broker.counts import Counts, CountsSnapshot
from maskwatch.broker.processes import ProcessBook
from maskwatch.broker.shedding import SheddingBook
from maskwatch.children import ChildSpec
from maskwatch.embedded import free_port
from maskwatch.errors import MaskwatchError
from maskwatch.machine import Rank, worker_count
from maskwatch.settings import WorkerSettings
from workers.bench.clips import CLIP_FPS, camera_film
from workers.bench.helpers import helpers
from workers.bench.load import camera_names
from workers.bench.outcome import Look, figures
from workers.bench.pictures import SIZE_WH, load_jpegs, write_jpegs
from workers.bench.servers import Stage, stage
from workers.bench.watch import Costs

__all__ = ["SystemBench", "run_system"]

_READY_WITHIN_S = 120.0
_SETTLE_S = 3.0
"""Between the first frames of all cameras and the clock's start: trackers and queues find their pace."""
_PICTURES = 120
"""Of all sources together: 12 s at 10 frames a second, shown forward and back."""
_FILM_MARGIN_S = 60.0
"""A film that begins anew ends all tracks, as a camera that was opened again does; so it is longer than the run."""
_LONGEST_FILM_S = 900.0
_FRAMES_AN_INJECTOR = 400.0


@dataclass(frozen=True, slots=True)
class SystemBench:
    """What is measured.

    Attributes:
        cameras: how many.
        fps: analysed frames a second of each.
        sources: videos, shared out among the cameras in turn.
        seconds: for how long.
        workers: worker processes; None: as many as `up` would start.
        ingest: ingest processes.
        profile: of the detector.
        batch: frames taken at once.
        inject: whether prepared JPEGs are offered instead of films being read.
        shedding: whether cameras, injected ones too, and workers give way when the workers can't keep up.
    """

    cameras: int
    fps: float
    sources: tuple[str, ...]
    seconds: float
    workers: int | None = None
    ingest: int = 1
    profile: str = "accurate"
    batch: int = 8
    inject: bool = False
    shedding: bool = True


def run_system(bench: SystemBench) -> dict[str, Any]:
    """Measure and return the figures; see docs/performance.md for their meaning.

    Raises:
        ConfigError, BrokerDown: if no server can be started.
        SourceError: if a source can't be read, or there is no room for the films.
        MaskwatchError: if a process ends, nothing is analysed in time, or the run was ended from outside.
    """
    if not bench.inject and bench.fps > CLIP_FPS:
        raise MaskwatchError(f"--fps {bench.fps:g}: the films have {CLIP_FPS} frames a second; give less, or --inject")
    with stage() as running:
        workers = bench.workers or worker_count(WorkerSettings())
        config = _prepare(bench, running.folder)
        pids = _start(bench, workers, config, running)
        with connect(running.live.url) as client:
            _await_workers(client, workers, running, pids)
            with _fed(bench, running):
                looks, costs = _measure(bench, client, running, pids)
        return {**figures(looks, costs, bench.cameras), "workers": workers}


def _prepare(bench: SystemBench, folder: Path) -> Path:
    """Make films, or JPEGs to inject, and the configuration; return its path."""
    cameras: dict[str, Any] = {}
    share = max(2, _PICTURES // len(bench.sources))
    for number, source in enumerate(bench.sources):
        pictures = folder / f"pictures-{number}"
        pictures.mkdir()
        write_jpegs([source], pictures, CLIP_FPS, share)
        if not bench.inject:
            seconds = min(_LONGEST_FILM_S, bench.seconds + _FILM_MARGIN_S)
            camera_film(folder / f"film-{number}.mp4", load_jpegs(pictures), SIZE_WH, seconds)
    if not bench.inject:
        for number, name in enumerate(camera_names(bench.cameras)):
            film = folder / f"film-{number % len(bench.sources)}.mp4"
            cameras[name] = {"source": str(film), "loop": True, "fps": bench.fps, "profile": bench.profile}
    config = folder / "cameras.yaml"
    said = {"cameras": cameras, "worker": {"batch": bench.batch}, "shedding": {"enabled": bench.shedding}}
    # JSON is YAML.
    config.write_text(json.dumps(said), encoding="utf-8")
    return config


def _start(bench: SystemBench, workers: int, config: Path, running: Stage) -> dict[str, dict[str, int]]:
    """Start the processes and return their ids by kind and name."""
    wanted: list[tuple[str, str, Rank, tuple[str, ...]]] = [
        ("web", "web", Rank.WEB, ()),
        ("recorder", "recorder", Rank.RECORDER, ("--name", "bench")),
    ]
    wanted += [("worker", f"worker-{n}", Rank.WORKER, ("--name", f"bench-{n}")) for n in range(workers)]
    if not bench.inject:
        wanted += [("ingest", f"ingest-{n}", Rank.CAMERAS, ("--name", f"bench-{n}")) for n in range(bench.ingest)]
    environ = running.environ | {
        "MASKWATCH_WEB__PORT": str(free_port()),
        "MASKWATCH_STATE_DIR": str(running.folder / "state"),
    }
    pids: dict[str, dict[str, int]] = {}
    for kind, name, rank, words in wanted:
        argv = (sys.executable, "-P", "-m", "maskwatch", kind, "--config", str(config), *words)
        running.supervisor.add(ChildSpec(name, argv, environ, rank, output=running.folder / f"{name}.log"))
        pids.setdefault(kind, {})[name] = _pid(running, name)
    pids["redis"] = {name: _pid(running, name) for name in ("redis-live", "redis-durable")}
    return pids


def _pid(running: Stage, name: str) -> int:
    pid = running.supervisor.pid(name)
    assert pid is not None
    return pid


def _await_workers(client: redis.Redis, workers: int, running: Stage, pids: dict[str, dict[str, int]]) -> None:
    ends_s = time.monotonic() + _READY_WITHIN_S
    while len(ProcessBook(client).list("worker")) < workers:
        _check(running, pids)
        if time.monotonic() > ends_s:
            raise MaskwatchError(f"bench system: no {workers} workers within {_READY_WITHIN_S:.0f} s")
        running.stop.wait(0.1)


@contextmanager
def _fed(bench: SystemBench, running: Stage) -> Iterator[None]:
    """Let injectors offer frames during the body, where there is no ingest."""
    if not bench.inject:
        yield
        return
    wanted = max(1, round(bench.cameras * bench.fps / _FRAMES_AN_INJECTOR))
    count = min(bench.cameras, wanted, len(os.sched_getaffinity(0)))
    names = camera_names(bench.cameras)
    jobs = [
        {
            "job": "produce", "url": running.live.url, "ingest": f"bench-{at}", "cameras": names[at::count],
            "fps": bench.fps, "seconds": 86_400.0, "profile": bench.profile,
            "gives_way": bench.shedding, "folder": str(running.folder / f"pictures-{at % len(bench.sources)}"),
        }
        for at in range(count)
    ]  # fmt: skip
    with helpers(jobs) as injectors:
        injectors.go()
        yield


def _measure(
    bench: SystemBench, client: redis.Redis, running: Stage, pids: dict[str, dict[str, int]]
) -> tuple[list[Look], Costs]:
    """Wait for frames of all cameras, then look at counters and costs about once a second."""
    ends_s = time.monotonic() + _READY_WITHIN_S
    while _analysed_cameras(Counts.read(client)) < bench.cameras:
        _check(running, pids)
        if time.monotonic() > ends_s:
            raise MaskwatchError(
                f"bench system: after {_READY_WITHIN_S:.0f} s frames of {_analysed_cameras(Counts.read(client))} of "
                f"{bench.cameras} cameras were analysed; is the machine overloaded?"
            )
        running.stop.wait(0.1)
    running.stop.wait(_SETTLE_S)
    costs = Costs({kind: tuple(names.values()) for kind, names in pids.items()})
    costs.begin()
    levels = SheddingBook(client)
    looks = [Look(time.monotonic(), Counts.read(client), levels.level())]
    slices = min(600, max(1, round(bench.seconds)))
    for number in range(1, slices + 1):
        running.stop.wait(max(0.0, looks[0].at_s + bench.seconds * number / slices - time.monotonic()))
        _check(running, pids)
        looks.append(Look(time.monotonic(), Counts.read(client), levels.level()))
        costs.look()
    return looks, costs


def _analysed_cameras(snapshot: CountsSnapshot) -> int:
    return sum(camera.analysed > 0 for camera in snapshot.cameras.values())


def _check(running: Stage, pids: dict[str, dict[str, int]]) -> None:
    """Raise when somebody wants to end, or a process has ended."""
    if running.stop.requested:
        raise MaskwatchError("bench system: ended before it was done")
    for name in _names(pids):
        code = running.supervisor.poll(name)
        if code is not None:
            said = running.folder / f"{name}.log"
            lines = said.read_text(encoding="utf-8", errors="replace").splitlines() if said.exists() else []
            raise MaskwatchError(f"bench system: {name} ended with {code}:\n" + "\n".join(lines[-15:]))


def _names(pids: dict[str, dict[str, int]]) -> Sequence[str]:
    return [name for names in pids.values() for name in names]

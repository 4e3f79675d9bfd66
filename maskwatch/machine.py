"""Everything on one machine: which processes run, what each is told, and in which order they begin and end."""

from __future__ import annotations

import http.client
import importlib.util
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import FrameType

from maskwatch.children import ChildSpec
from maskwatch.demo.cameras import DEMO_CAMERAS, DemoCamera, ready_cameras, write_demo_config
from maskwatch.embedded import start_servers
from maskwatch.errors import ConfigError
from maskwatch.service import SAME_WISH_S, Stop, stacks_on_signal
from maskwatch.settings import Settings, WorkerSettings
from maskwatch.supervisor import Supervisor

__all__ = [
    "Demo",
    "Plan",
    "Rank",
    "Wishes",
    "child_environment",
    "choose_address",
    "run",
    "services",
    "warn_about",
    "welcome",
    "worker_count",
]

SINGLE_REDIS_COST = (
    "one server does both jobs: with appendonly it writes every live frame to disk, without it a restart loses events"
)
_GPU_DEVICE = Path("/dev/nvidiactl")
_TICK_S = 0.1
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Rank(IntEnum):
    """The order of ending: whoever feeds the others first, whoever the others write to last."""

    CAMERAS = 0
    """Ingest, and the demo that feeds it."""
    WORKER = 1
    """Workers, and jobs: both write events, results or their place down while they end."""
    RECORDER = 2
    WEB = 3
    REDIS = 4


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo's process and its cameras.

    Attributes:
        folder: where it writes films, and where the configuration of its cameras is.
        port: of loopback, on which one camera is served.
    """

    folder: Path
    port: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What `run` is to start.

    Attributes:
        settings: of this machine; `web.port` is not 0.
        config: the file that the services read and ingest watches, or None.
        state_dir: absolute, locked by the caller.
        workers: how many worker processes.
        demo: the demo cameras, or None.
    """

    settings: Settings
    config: Path | None
    state_dir: Path
    workers: int
    demo: Demo | None = None


class Wishes:
    """What the person wants, told by signals: to end, and with a second signal to end faster.

    A signal that follows the first one closely is the same wish: `make` and `timeout` pass on what their process group
    gets as well.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stop = Stop()
        self._first_at_s = 0.0
        self._is_repeated = False

    def listen(self) -> None:
        """Take SIGTERM, SIGINT and SIGHUP (a closed terminal: the services, in sessions of their own, don't get it).

        SIGUSR1 prints the stacks, as of every process.
        """
        for number in _SIGNALS:
            signal.signal(number, self.on_signal)
        stacks_on_signal()

    def ignore(self) -> None:
        """Leave further signals alone: all is done, and Python's own end would answer a late Ctrl-C with a failure."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Note one more request to end."""
        if not self._stop.requested:
            self._first_at_s = self._clock()
            self._stop.request()
        elif self._clock() - self._first_at_s > SAME_WISH_S:
            self._is_repeated = True

    def pause(self, seconds: float) -> bool:
        """Sleep; return True, at once, when the end is wanted."""
        return self._stop.wait(seconds)

    @property
    def in_a_hurry(self) -> bool:
        """Whether the end was asked for twice."""
        return self._is_repeated


def choose_address(host: str, port: int) -> int:
    """Return the port the site will listen on, a free one for 0.

    Raises:
        ConfigError: if the address can't be listened on; said here so that nothing is started in vain.
    """
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            chosen: int = probe.getsockname()[1]
            return chosen
    except OSError as error:
        raise ConfigError(
            f"can't listen on {host}:{port}: {error.strerror}; give another address with --host and --port "
            "(--port 0 takes a free one), or stop what uses it"
        ) from error


def worker_count(worker: WorkerSettings) -> int:
    """Return how many workers to start.

    As configured; else one where a GPU does the work, because each process would claim its memory and large batches
    are what it likes; else one per core less one for ingest, site and Redis.
    """
    if worker.processes is not None:
        return worker.processes
    has_gpu = _GPU_DEVICE.exists() and importlib.util.find_spec("tensorflow") is not None
    if worker.engine == "keras" or (worker.engine == "auto" and has_gpu):
        return 1
    return max(1, len(os.sched_getaffinity(0)) - 1)


def child_environment(plan: Plan, environ: Mapping[str, str], redis_urls: tuple[str, str] | None) -> dict[str, str]:
    """Return the environment of the services: what was decided here goes in as variables, secrets above all.

    Args:
        plan: what is to be started.
        environ: ours.
        redis_urls: of the embedded servers, live and durable; None when Redis is configured.
    """
    web = plan.settings.web
    decided = {
        "MASKWATCH_STATE_DIR": str(plan.state_dir),
        "MASKWATCH_WEB__HOST": web.host,
        "MASKWATCH_WEB__PORT": str(web.port),
        "MASKWATCH_WEB__INSECURE": "true" if web.insecure else "false",
        "MASKWATCH_METRICS__PORT": "0",  # several processes on one machine can't share a port; discovery lists them
    }
    if redis_urls:
        decided |= {"MASKWATCH_REDIS__LIVE": redis_urls[0], "MASKWATCH_REDIS__DURABLE": redis_urls[1]}
    inherited = {key: value for key, value in environ.items() if key != "MASKWATCH_CONFIG"}
    return inherited | decided


def run(plan: Plan, wishes: Wishes, environ: Mapping[str, str], announce: Callable[[], None]) -> None:
    """Start everything, keep it running until the person wants to end, then stop it in order.

    Args:
        plan: what to start.
        wishes: listening already.
        environ: ours, `os.environ` in production.
        announce: called once, when the site answers.

    Raises:
        ConfigError: if a service refuses its configuration; everything is stopped before.
        BrokerDown: if the embedded servers don't come up.
    """
    import structlog  # 0.1 s, which `check` needn't spend

    supervisor = Supervisor()
    log = structlog.get_logger()
    try:
        urls = None
        if plan.settings.redis is None:
            servers = start_servers(supervisor, plan.state_dir, environ, Rank.REDIS, wishes.pause)
            urls = (servers[0].url, servers[1].url)
        _keep_running(plan, supervisor, child_environment(plan, environ, urls), wishes, announce)
    finally:
        log.info("up.stopping")
        supervisor.stop(lambda: wishes.in_a_hurry)
        wishes.ignore()
        log.info("up.stopped")


def _keep_running(
    plan: Plan, supervisor: Supervisor, environ: Mapping[str, str], wishes: Wishes, announce: Callable[[], None]
) -> None:
    for spec in services(plan, environ):
        supervisor.add(spec)
    configured: tuple[DemoCamera, ...] = ()
    is_announced = False
    while not wishes.pause(_TICK_S):
        supervisor.tick()
        if plan.demo and len(configured) < len(DEMO_CAMERAS):
            configured = _configure_ready(plan.demo, configured)
        if not is_announced and _site_answers(plan.settings.web.host, plan.settings.web.port):
            announce()
            is_announced = True


def _configure_ready(demo: Demo, configured: tuple[DemoCamera, ...]) -> tuple[DemoCamera, ...]:
    """Put the cameras whose films are made by now into the configuration, which ingest watches, and return them."""
    ready = ready_cameras(demo.folder)
    if ready != configured:
        write_demo_config(demo.folder, demo.port, ready)
    return ready


def services(plan: Plan, environ: Mapping[str, str]) -> list[ChildSpec]:
    """Return the services' processes, ingest first."""
    config = () if plan.config is None else ("--config", str(plan.config))

    def verb(name: str, rank: Rank, *words: str) -> ChildSpec:
        return ChildSpec(name, (*_python("maskwatch"), *words), environ, rank)

    specs = [verb("ingest", Rank.CAMERAS, "ingest", *config)]
    specs += [
        verb(f"worker-{n}", Rank.WORKER, "worker", *config, "--name", f"{socket.gethostname()}-{n}")
        for n in range(1, plan.workers + 1)
    ]
    # Always under one name: what it was given and didn't acknowledge before a death is its own at once.
    specs.append(verb("recorder", Rank.RECORDER, "recorder", *config, "--name", f"{socket.gethostname()}-up"))
    specs.append(verb("jobs", Rank.WORKER, "jobs", *config, "--name", f"{socket.gethostname()}-up"))
    specs.append(verb("web", Rank.WEB, "web", *config))
    if plan.demo:
        argv = (*_python("maskwatch.demo"), str(plan.demo.folder), str(plan.demo.port))
        specs.append(ChildSpec("demo", argv, environ, Rank.CAMERAS))
    return specs


def _python(module: str) -> tuple[str, ...]:
    """Return the words that run a module; -P keeps a `web/` or `models/` in the current folder from being imported."""
    return (sys.executable, "-P", "-m", module)


def _site_answers(host: str, port: int) -> bool:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared only
    connection = http.client.HTTPConnection(reachable, port, timeout=0.5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def warn_about(plan: Plan) -> None:
    """Log what works but costs something."""
    import structlog

    log = structlog.get_logger()
    redis = plan.settings.redis
    if redis is not None and redis.is_single:
        log.warning(
            "up.single_redis",
            cost=SINGLE_REDIS_COST,
            advice="give redis: {live: URL, durable: URL}",
        )
    if plan.demo is None and not plan.settings.cameras:
        log.warning("up.no_cameras", advice="give --config FILE (cameras.example.yaml explains the keys), or --demo")
    if plan.settings.metrics.port:
        log.warning("up.metrics_port_ignored", advice="each process takes a free port; the site's discovery lists them")


def welcome(plan: Plan) -> str:
    """Return what a person reads once the site answers: the address and what it shows."""
    web = plan.settings.web
    host = f"[{web.host}]" if ":" in web.host else web.host
    lines = [f"Maskwatch is at http://{host}:{web.port}/"]
    if plan.demo:
        width = max(len(camera.name) for camera in DEMO_CAMERAS)
        lines += [f"  {camera.name:<{width}}  {camera.shows}" for camera in DEMO_CAMERAS]
    else:
        enabled = sum(camera.enabled for camera in plan.settings.cameras.values())
        lines.append(
            f"  {enabled} camera{'' if enabled == 1 else 's'}; edit {plan.config} to change them"
            if plan.config
            else "  no camera yet"
        )
    lines.append("Ctrl-C ends everything.")
    return "\n".join(lines)

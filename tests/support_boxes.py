"""Runs a Compose service's command as its container would, without Docker: as root, on Linux' own namespaces.

A box has its own root (read-only, of this machine's /usr, the volumes and nothing else), user, environment, host name,
hosts file and network, a cable to a switch that all boxes of a stack share. What it can't show is the image itself:
programs are this machine's.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from secrets import token_hex

import pytest

from tests.support import ROOT

__all__ = ["Box", "BoxSpec", "Mount", "Network", "network", "requires_namespaces"]

_CLONE_NEWNET = 0x40000000
_SETUP = """
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 none "$root"
mkdir -p "$root/usr" "$root/proc" "$root/dev" "$root/etc" "$root/run" "$root/var" "$root/opt/maskwatch/bin" \
    "$root/src" "$root/venv"
for name in bin sbin lib lib64; do
    if [ -L "/$name" ]; then ln -s "$(readlink "/$name")" "$root/$name"
    elif [ -d "/$name" ]; then mkdir "$root/$name"; mount --rbind "/$name" "$root/$name"; fi
done
for name in usr proc dev; do mount --rbind "/$name" "$root/$name"; done
for name in ld.so.cache nsswitch.conf localtime alternatives; do
    if [ -e "/etc/$name" ]; then cp -a "/etc/$name" "$root/etc/"; fi
done
"""


def requires_namespaces() -> None:
    """Skip the test where this process may not make namespaces: only root may, and not in every container."""
    tried = subprocess.run(
        ["unshare", "-m", "-n", "-u", "sh", "-c", "mount -t tmpfs none /mnt && ip link add type veth"],
        capture_output=True, text=True, check=False,
    ) if shutil.which("unshare") and shutil.which("ip") and shutil.which("nsenter") else None  # fmt: skip
    if tried is None or tried.returncode:
        message = "needs root, iproute2 and the right to make namespaces" + (f": {tried.stderr}" if tried else "")
        if os.environ.get("MASKWATCH_REQUIRE_ALL") == "1":
            pytest.fail(message)
        pytest.skip(message)


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of this machine inside a box; without a source, an empty folder in memory."""

    target: str
    source: Path | None = None
    is_read_only: bool = True
    options: str = "mode=1777"


@dataclass(frozen=True, slots=True)
class BoxSpec:
    """What runs in a box.

    Attributes:
        name: of the host, unique in the network.
        argv: the command, found by the box' PATH.
        environ: all of its variables.
        user: UID:GID.
        mounts: in this order.
        scripts: programs of the image that this machine hasn't, by name: shell scripts.
        aliases: further names under which others find it.
    """

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str]
    user: str
    mounts: Sequence[Mount] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)
    aliases: Sequence[str] = ()


class Network:
    """A switch in a network namespace of its own, and the boxes on it; nothing else is reachable from there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts = folder / "hosts"
        self.hosts.write_text("127.0.0.1 localhost\n")
        self._prefix = f"mw{token_hex(4)}"
        self._numbers = count(2)
        self._boxes: list[Box] = []
        self._forwards: list[socket.socket] = []
        self._names: list[str] = []
        self._switch = self._add_namespace("sw")
        _ip("-n", self._switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "br0", "up")

    def start(self, spec: BoxSpec) -> Box:
        """Start a box."""
        number = next(self._numbers)
        address = f"10.203.0.{number}"
        namespace = self._add_namespace(str(number))
        _ip("-n", self._switch, "link", "add", f"p{number}", "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("-n", self._switch, "link", "set", f"p{number}", "master", "br0", "up")
        _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", namespace, "link", "set", device, "up")
        with self.hosts.open("a") as hosts:
            hosts.write(f"{address} {' '.join([spec.name, *spec.aliases])}\n")
        box = Box(spec, self, namespace, address)
        self._boxes.append(box)
        return box

    def publish(self, box: Box, port: int) -> int:
        """Return a port of this machine's loopback whose connections go to a port of a box, until the end."""
        listening = socket.create_server(("127.0.0.1", 0))
        self._forwards.append(listening)
        threading.Thread(target=_forward, args=(listening, box.namespace, port), daemon=True).start()
        return int(listening.getsockname()[1])

    def close(self) -> None:
        """End everything."""
        for listening in self._forwards:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        for box in self._boxes:
            box.kill()
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def _add_namespace(self, name: str) -> str:
        full = f"{self._prefix}-{name}"
        _ip("netns", "add", full)
        self._names.append(full)
        return full


class Box:
    """A process in namespaces of its own."""

    def __init__(self, spec: BoxSpec, network: Network, namespace: str, address: str) -> None:
        self.spec = spec
        self.namespace = namespace
        self.address = address
        self.log = network.folder / f"{spec.name}.log"
        root = network.folder / f"root-{spec.name}"
        root.mkdir(exist_ok=True)
        script = network.folder / f"{spec.name}.sh"
        script.write_text(_script(spec, root, network.hosts))
        command = ["ip", "netns", "exec", namespace, "unshare", "-m", "-u", "sh", str(script)]
        with self.log.open("ab") as log:
            # Every step replaces the one before, so that this is the service's own process in the end.
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    @property
    def said(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace")

    def run(self, argv: Sequence[str], timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as the same user with the same environment."""
        uid, _, gid = self.spec.user.partition(":")
        enter = ["nsenter", "-t", str(self.process.pid), "-m", "-n", "-u", "-r", "-S", uid, "-G", gid]
        command = [*enter, "/usr/bin/env", "-i", *_assignments(self.spec.environ), *argv]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)

    def stop(self, within_s: float) -> int:
        """Ask it to end and return its exit code; fails when it takes longer."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(10)


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """Make a network whose boxes end with the body."""
    made = Network(folder)
    try:
        yield made
    finally:
        made.close()


def _script(spec: BoxSpec, root: Path, hosts: Path) -> str:
    """Return the shell script that makes a box' root and becomes its process."""
    uid, _, gid = spec.user.partition(":")
    lines = [f"root={shlex.quote(str(root))}", _SETUP, f"hostname {shlex.quote(spec.name)}"]
    base = Path(sys.base_prefix).resolve()
    if not base.is_relative_to("/usr"):
        lines += [f'mkdir -p "$root{base}"', f'mount --bind {shlex.quote(str(base))} "$root{base}"']
    lines += [f'printf "box:x:{uid}:{gid}::/tmp:/bin/sh\\n" >"$root/etc/passwd"']
    lines += [f'printf "box:x:{gid}:\\n" >"$root/etc/group"']
    lines += _mounting(Mount("/etc/hosts", hosts)) + _mounting(Mount("/src", ROOT))
    lines += _mounting(Mount("/venv", Path(sys.prefix)))
    for name, text in spec.scripts.items():
        path = f"/opt/maskwatch/bin/{name}"
        lines += [
            f"cat >\"$root{path}\" <<'END OF SCRIPT'\n#!/bin/sh\n{text}\nEND OF SCRIPT",
            f'chmod 755 "$root{path}"',
        ]
    for mount in spec.mounts:
        lines += _mounting(mount)
    environ = " ".join(shlex.quote(one) for one in _assignments(spec.environ))
    inside = " ".join(shlex.quote(word) for word in spec.argv)
    lines += [
        'mount -o remount,ro "$root"',
        f'exec chroot --userspec={uid}:{gid} --groups= "$root" /usr/bin/env -i {environ} {inside}',
    ]
    return "\n".join(lines) + "\n"


def _mounting(mount: Mount) -> list[str]:
    target = f'"$root{mount.target}"'
    if mount.source is None:
        return [f"mkdir -p {target}", f"mount -t tmpfs -o {mount.options} none {target}"]
    source = shlex.quote(str(mount.source))
    folder = f'"$root{os.path.dirname(mount.target)}"'
    make = f"mkdir -p {target}" if mount.source.is_dir() else f"mkdir -p {folder}; touch {target}"
    lines = [make, f"mount --bind {source} {target}"]
    return [*lines, f"mount -o remount,bind,ro {target}"] if mount.is_read_only else lines


def _assignments(environ: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environ.items()]


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


def _forward(listening: socket.socket, namespace: str, port: int) -> None:
    """Pass connections on from within a network namespace: a socket belongs to the one that its thread was in."""
    with open(f"/run/netns/{namespace}") as handle:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.setns(handle.fileno(), _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    while True:
        try:
            near, _address = listening.accept()
        except OSError:  # shut down: that is the end
            return
        try:
            far = socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            near.close()
            continue
        far.settimeout(None)
        threading.Thread(target=_join, args=(near, far), daemon=True).start()


def _join(near: socket.socket, far: socket.socket) -> None:
    with near, far:
        back = threading.Thread(target=_pump, args=(far, near), daemon=True)
        back.start()
        _pump(near, far)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)

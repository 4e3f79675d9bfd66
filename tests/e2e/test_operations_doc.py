"""docs/operations.md, done: every command of it, those of docker and kubectl as far as they can be checked."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT, free_port
from tests.support_compose import compose, compose_config

PAGE = ROOT / "docs" / "operations.md"
TOOLS = ("docker", "kubectl")

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Block:
    """Commands of the page.

    Attributes:
        text: as it stands there.
        is_terminal: whether it goes on until the reader ends it.
    """

    text: str
    is_terminal: bool

    @property
    def commands(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip()]


def blocks() -> list[Block]:
    found = re.findall(r"^```sh( terminal)?\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(text, bool(terminal)) for terminal, text in found]


def _tool(line: str) -> str:
    """Return the tool that a line is a command of, variables before it left out, or nothing."""
    words = [word for word in line.split() if not re.match(r"^\w+=", word)]
    return words[0] if words and words[0] in TOOLS else ""


def tool_lines(tool: str) -> list[list[str]]:
    lines = [line for block in blocks() for line in block.commands if _tool(line) == tool]
    return [[word for word in shlex.split(line) if not re.match(r"^[A-Z_]+=", word)] for line in lines]


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """The repository's folder as a new operator has it, without what others have put there."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets"))
    shutil.copy(ROOT / "cameras.example.yaml", tmp_path)
    return tmp_path


class Terminals:
    """What runs until its reader presses Ctrl-C."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        self.environ = environ
        self._open: list[subprocess.Popen[bytes]] = []

    def run(self, text: str) -> None:
        log = (self._folder / f"terminal-{len(self._open)}.log").open("wb")
        with log:
            self._open.append(
                subprocess.Popen(
                    ["bash", "-euc", text], cwd=self._folder, env=self.environ, stdout=log, stderr=log,
                    start_new_session=True,
                )
            )  # fmt: skip

    def interrupt(self) -> None:
        """Press Ctrl-C in all of them; each has to end within the time that the page names."""
        for process in self._open:
            os.killpg(process.pid, signal.SIGINT)
        for process in self._open:
            process.wait(20)

    def close(self) -> None:
        for process in self._open:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


@pytest.fixture
def terminals(reader: Path) -> Iterator[Terminals]:
    scripts = reader / "bin"
    scripts.mkdir()
    (scripts / "maskwatch").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m maskwatch "$@"\n')
    (scripts / "maskwatch").chmod(0o755)
    environ = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"}
    opened = Terminals(reader, environ)
    yield opened
    opened.close()


def test_every_command_of_the_page_works(reader: Path, terminals: Terminals) -> None:
    ports = {port: str(free_port()) for port in ("8080", "8081")}
    variables: list[str] = []
    for block in blocks():
        # The host's own ports may be taken.
        text = re.sub(r"(?<=127\.0\.0\.1:)808[01]|(?<=--port )808[01]", lambda found: ports[found[0]], block.text)
        text = "\n".join(line for line in text.splitlines() if not _tool(line))
        if block.is_terminal:
            terminals.run(text)
            continue
        if not text.strip():
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join([*variables, text])],
            cwd=reader, env=terminals.environ, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        # The reader's second terminal keeps what was exported in it.
        variables += [line for line in text.splitlines() if line.startswith("export ")]
    assert (reader / "run" / "report.html").stat().st_size > 1000
    assert (reader / "run" / "backup" / "record.db").stat().st_size > 0
    terminals.interrupt()


def test_pages_blocks_are_of_one_kind_each() -> None:
    found = blocks()
    assert len(found) >= 10
    assert sum(block.is_terminal for block in found) == 2


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return compose_config("demo", "gpu", "postgres")


def test_docker_lines_name_what_there_is(project: dict[str, Any]) -> None:
    lines = tool_lines("docker")
    assert len(lines) >= 8
    for words in lines:
        assert words[1] == "compose", words
        top, verb, rest = _split(words[2:])
        helped = compose("--help").stdout
        assert all(word in helped for word in top if word.startswith("-")), words
        for option, value in zip(top[::2], top[1::2], strict=True):
            if option == "--profile":
                assert value in {one for service in project["services"].values() for one in service.get("profiles", [])}
            if option == "--file":
                assert (ROOT / value).exists()
        own = compose(verb, "--help")
        assert own.returncode == 0, verb
        is_command = verb in ("exec", "run")
        services: list[str] = []
        for number, word in enumerate(rest):
            if is_command and services:
                break  # what follows is the command inside
            if word.startswith("--"):
                assert re.search(rf"{re.escape(word)}\b", own.stdout), f"{verb} has no {word}"
            elif rest[number - 1] == "--scale":
                assert word.split("=")[0] in project["services"]
            elif rest[number - 1] != "--tail" or number == 0:
                services.append(word)
        assert set(services) <= project["services"].keys(), words


def _split(words: list[str]) -> tuple[list[str], str, list[str]]:
    """Return options before the verb (each with a value), the verb, and what follows."""
    at = 0
    while words[at].startswith("-"):
        at += 2
    return words[:at], words[at], words[at + 1 :]


def test_kubectl_lines_name_what_there_is() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")
    lines = tool_lines("kubectl")
    assert len(lines) >= 5
    for words in lines:
        top, verb, rest = _split(words[1:])
        assert top in ([], ["--namespace", "maskwatch"]), words
        nested = rest[:2] if verb == "create" else rest[:1] if verb == "rollout" else []
        own = subprocess.run(["kubectl", verb, *nested, "--help"], capture_output=True, text=True, check=False)
        assert own.returncode == 0, words
        for word in rest:
            if word.startswith("--"):
                assert word.split("=")[0] in own.stdout, f"{verb} has no {word}"
            elif word.startswith("deploy/"):
                assert (ROOT / word / "kustomization.yaml").exists(), word
            elif "/" in word:
                kind, name = word.split("/")
                (file,) = (ROOT / "deploy" / "kubernetes" / "base").glob(f"{name}.yaml")
                assert f"kind: {kind.capitalize()}\n" in file.read_text()


def test_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target

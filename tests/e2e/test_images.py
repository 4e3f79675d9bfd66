"""What the Dockerfiles copy and install, done in an empty environment of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support import ROOT

MOST_CONTEXT_MB = 40

pytestmark = pytest.mark.timeout(900)


def ignored(path: str, patterns: list[str]) -> bool:
    """Tell whether Docker leaves a path out of the context: the last pattern that fits it or a folder above decides."""
    parts = path.split("/")
    above = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
    out = False
    for pattern in patterns:
        plain = pattern.lstrip("!")
        if any(
            fnmatch(one, plain) or ("**/" in plain and fnmatch(f"/{one}", plain.replace("**", "*"))) for one in above
        ):
            out = not pattern.startswith("!")
    return out


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `docker build` sends: this tree, less what .dockerignore leaves out."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    folder = tmp_path_factory.mktemp("context")
    for path in listed:
        if not ignored(path, patterns) and (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, folder / path)
    return folder


def installs(kind: str) -> list[str]:
    """Return the pip commands of an image, its mounts left out."""
    text = re.sub(r"\\\n", " ", (ROOT / "deploy" / "docker" / f"{kind}.Dockerfile").read_text())
    found = re.findall(r"^RUN (?:--mount=\S+ +)?(/opt/maskwatch/bin/pip install .*)$", text, re.MULTILINE)
    assert len(found) == 2
    return found


def empty_environment(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder


def test_context_is_small_and_has_all_that_is_copied(context: Path) -> None:
    there = {path.name for path in context.iterdir()}
    assert there == {
        "LICENSE", "README.md", "ingest", "maskwatch", "models", "pyproject.toml", "requirements", "training", "web",
        "workers",
    }  # fmt: skip
    assert sum(path.stat().st_size for path in context.rglob("*")) < MOST_CONTEXT_MB << 20
    for kind in ("cpu", "gpu"):
        for copied in re.findall(
            r"^COPY (?!--from)(.*) \S+$", (ROOT / "deploy" / "docker" / f"{kind}.Dockerfile").read_text(), re.MULTILINE
        ):
            assert all((context / path).exists() for path in copied.split()), copied


@pytest.mark.slow
def test_cpu_image_installs_and_runs_without_tensorflow(context: Path, tmp_path: Path) -> None:
    venv = empty_environment(tmp_path / "venv")
    for command in installs("cpu"):
        words = command.replace("/opt/maskwatch/bin/pip", f"{venv}/bin/pip -q --disable-pip-version-check")
        subprocess.run(["sh", "-ec", words], cwd=context, check=True, timeout=600)
    environ = {"PATH": f"{venv}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "MASKWATCH_STATE_DIR": str(tmp_path / "s")}

    def run(*words: str) -> str:
        done = subprocess.run(
            words, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "worker" in run("maskwatch", "--help")
    assert "maskwatch-mask" in run("maskwatch", "models", "list")
    assert "True" in run("python", "-c", "import psycopg; print(psycopg.pq.__impl__ == 'binary')")
    missing = (
        "from importlib.util import find_spec; print([n for n in ('tensorflow', 'keras', 'torch') if find_spec(n)])"
    )
    assert run("python", "-c", missing).strip() == "[]"
    size_mb = sum(path.stat().st_size for path in venv.rglob("*") if path.is_file() and not path.is_symlink()) >> 20
    assert size_mb < 900


@pytest.mark.slow
def test_gpu_image_would_install_tensorflow_with_cuda(context: Path, tmp_path: Path) -> None:
    if os.environ.get("MASKWATCH_REQUIRE_ALL") != "1" and not shutil.which(
        "pip", path=str(Path(sys.executable).parent)
    ):
        pytest.skip("needs pip")
    command = installs("gpu")[0].replace("/opt/maskwatch/bin/pip install", "install --dry-run --quiet --report -")
    words = [sys.executable, "-m", "pip", "--disable-pip-version-check", *command.split(), "--ignore-installed"]
    done = subprocess.run(words, cwd=context, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    for package in ("tensorflow", "nvidia-cudnn-cu12", "psycopg-binary"):
        assert re.search(rf'"name": "{package}"', done.stdout), package

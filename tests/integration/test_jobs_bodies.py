"""Long bodies at the real server: kept without being in memory, and refused in a way that the client hears of."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from maskwatch.blobs import BlobStore
from maskwatch.broker.connect import connect
from maskwatch.jobs import JobBook
from tests.support import ROOT, requires_debian
from tests.support_jobsite import CSV, done
from tests.support_pages import without_huge_pages
from tests.support_redis import redis_server
from tests.support_site import site_process

MB = 1 << 20


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, Path]]:
    """Port and process of a site, and its folder."""
    folder = tmp_path_factory.mktemp("state")
    settings = {"MASKWATCH_STATE_DIR": str(folder), "MASKWATCH_JOBS__MOST_UPLOAD_MB": "100"}
    with (
        redis_server() as url,
        without_huge_pages(),
        site_process(url, folder / "web.log", settings) as (port, process),
    ):
        yield port, process.pid, folder


def test_every_line_of_the_guide_does_what_it_says(tmp_path: Path) -> None:
    requires_debian("curl")
    (tmp_path / "films").mkdir()
    for folder in (tmp_path, tmp_path / "films"):
        (folder / "door.mp4").write_bytes(bytes(3 * MB))
    lines = re.findall(r"^ {4}(curl .*)$", (ROOT / "docs/jobs.md").read_text(), re.MULTILINE)
    assert len(lines) == 9
    settings = {"MASKWATCH_STATE_DIR": str(tmp_path / "state"), "MASKWATCH_JOBS__FOLDERS": f"[{tmp_path}]"}
    with redis_server() as url, site_process(url, tmp_path / "web.log", settings) as (port, _process):
        files = BlobStore(tmp_path / "state" / "blobs", 64 * MB)
        with connect(url) as client:
            finished = done(JobBook(client, files), client, files, "a.mp4", {"annotated.mp4": ("video/mp4", CSV)}).id
        made: list[str] = []
        for line in lines:
            job_id = finished if "results" in line or "DELETE" in line else made[0] if made else ""
            said = run(line.replace(":8080", f":{port}").replace("/ID", f"/{job_id}"), tmp_path)
            job = json.loads(said) if said.startswith("{") else {}
            if "every" in line:
                made.append(job["id"])
                assert (job["state"], job["spec"]["every"]) == ("waiting", 2)
    assert len(made) == 3
    assert (tmp_path / "a-annotated.mp4").read_bytes() == CSV


def run(line: str, folder: Path) -> str:
    """Run a command as the guide has it, and fail where the site refuses it."""
    command = shlex.split(line)
    command[1:1] = ["--fail-with-body", "--silent", "--show-error", "--max-time", "30"]
    ended = subprocess.run(command, cwd=folder, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True)
    assert ended.returncode == 0, f"{line}: {ended.stdout} {ended.stderr}"
    return ended.stdout


def peak_mb(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def sent(port: int, path: str, size_bytes: int, most_sent: int, head: str = "") -> tuple[bytes, bytes]:
    """Send a body until it is sent or the connection is gone, and return the answer's head and content."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size_bytes}\r\n{head}\r\n".encode()
        )
        try:
            for _ in range(min(size_bytes, most_sent) // MB):
                connection.sendall(bytes(MB))
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        while piece := connection.recv(MB):
            answer += piece
    head_bytes, _, content = answer.partition(b"\r\n\r\n")
    return head_bytes, content


def test_long_upload_is_kept_and_never_in_memory(site: tuple[int, int, Path]) -> None:
    port, pid, folder = site

    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", "/api/v1/jobs?name=small.mp4", body=b"x")
        answer = connection.getresponse()
        assert (answer.status, len(answer.read()) > 0) == (201, True)
        before_mb = peak_mb(pid)
        length = {"Content-Length": str(60 * MB)}
        connection.request("POST", "/api/v1/jobs?name=door.mp4", (bytes(MB) for _ in range(60)), length)
        answer = connection.getresponse()
        assert answer.status == 201
        key = json.loads(answer.read())["spec"]["input"]["upload"]
    (path,) = folder.rglob(key)
    assert path.stat().st_size == 60 * MB
    assert peak_mb(pid) - before_mb < 20


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/jobs?name=door.mp4", 413, "too large: 3000.0 MB, expected at most 100 MB"),
        ("/api/v1/jobs/none/cancel", 404, "no job has the id"),
        ("/api/v1/cameras", 405, "method"),
    ],
)
def test_refused_body_is_not_read_and_the_refusal_arrives(
    site: tuple[int, int, Path], path: str, status: int, said: str
) -> None:
    port, pid, _folder = site
    before_mb = peak_mb(pid)
    head, content = sent(port, path, 3000 * MB, 30 * MB)
    assert f"HTTP/1.1 {status} ".encode() in head
    assert b"connection: close" in head.lower()
    assert said in json.loads(content)["error"]["message"]
    assert peak_mb(pid) - before_mb < 20


def test_body_without_a_length_is_refused(site: tuple[int, int, Path]) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", site[0], timeout=60)) as connection:
        connection.request("POST", "/api/v1/jobs?name=door.mp4", body=iter([b"x" * 1000]), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})  # fmt: skip
        answer = connection.getresponse()
        assert answer.status == 411
        assert "Content-Length" in json.loads(answer.read())["error"]["message"]


def test_upload_that_breaks_off_leaves_nothing(site: tuple[int, int, Path]) -> None:
    port, _pid, folder = site
    kept = len(list((folder / "blobs").rglob("*.*")))
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as connection:
        connection.sendall(
            b"POST /api/v1/jobs?name=door.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000000\r\n\r\n"
        )
        connection.sendall(bytes(MB))
        connection.shutdown(socket.SHUT_WR)
        assert b"HTTP/1.1 400 " in connection.recv(MB)
    assert len(list((folder / "blobs").rglob("*.*"))) == kept


def test_connection_is_used_again_after_a_short_body(site: tuple[int, int, Path]) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", site[0], timeout=60)) as connection:
        for _ in range(2):
            connection.request("POST", "/api/v1/jobs/none/cancel", body=b"x" * 1000)
            answer = connection.getresponse()
            assert answer.status == 404
            answer.read()
            assert not answer.will_close

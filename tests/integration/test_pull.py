"""Pulling from a server of this machine: the right bytes are kept, and of everything else nothing."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from maskwatch.errors import ChecksumMismatch, MaskwatchError, ModelError
from models.cli import models
from models.pull import pull
from models.pulled import PULLABLE, YUNET, Pullable, read_pulled
from tests.support import free_port, shared_path

CONTENT = bytes(range(256)) * 400
FILE = Pullable(
    name="some-net", version="1", about="bytes", file="some.onnx", url="https://models.invalid/some.onnx",
    sha256=hashlib.sha256(CONTENT).hexdigest(), size_bytes=len(CONTENT), licence="MIT",
)  # fmt: skip

Answer = Callable[[BaseHTTPRequestHandler], None]


def whole(content: bytes) -> Answer:
    """Answer with bytes and their length."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def interrupted(request: BaseHTTPRequestHandler) -> None:
    """Promise everything, send half, and hang up."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT[: len(CONTENT) // 2])


def endless(request: BaseHTTPRequestHandler) -> None:
    """Never stop sending, and don't say how much it will be."""
    request.send_response(200)
    request.end_headers()
    try:
        while True:
            request.wfile.write(CONTENT)
    except OSError:
        return


def no_http(request: BaseHTTPRequestHandler) -> None:
    """Speak another protocol."""
    request.wfile.write(b"220 smtp ready\r\n")


def failing(request: BaseHTTPRequestHandler) -> None:
    """Say that there is no such file."""
    request.send_error(404)


def moved(to: str) -> Answer:
    """Send people elsewhere; `{port}` becomes this server's own."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path == "/there":
            whole(CONTENT)(request)
            return
        request.send_response(302)
        request.send_header("Location", to.format(port=request.server.server_port))  # type: ignore[attr-defined]
        request.end_headers()

    return answer


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """Serve one answer on loopback and give its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_args: object) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as here:
        thread = threading.Thread(target=here.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{here.server_port}/some.onnx"
        finally:
            here.shutdown()
            thread.join()


def test_file_is_fetched_checked_and_kept(tmp_path: Path) -> None:
    counts: list[int] = []
    with server(whole(CONTENT)) as url:
        path = pull(FILE, tmp_path / "new" / "models", url, counts.append)
    assert path == tmp_path / "new" / "models" / "some-net" / "some.onnx"
    assert read_pulled(FILE, [tmp_path / "new" / "models"]) == CONTENT
    assert counts[-1] == len(CONTENT)
    assert [one.name for one in path.parent.iterdir()] == ["some.onnx"]


def test_right_file_that_is_there_is_left_alone_and_a_wrong_one_replaced(tmp_path: Path) -> None:
    with server(whole(CONTENT)) as url:
        path = pull(FILE, tmp_path, url)
    assert pull(FILE, tmp_path, "https://nowhere.invalid/") == path
    path.write_bytes(b"damaged")
    with server(whole(CONTENT)) as url:
        pull(FILE, tmp_path, url)
    assert path.read_bytes() == CONTENT


def test_file_of_this_machine_will_do(tmp_path: Path) -> None:
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(CONTENT)
    assert pull(FILE, tmp_path / "models", str(mine)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (whole(CONTENT[:-1] + b"!"), ChecksumMismatch, f"expected sha256 {FILE.sha256}, received .* nothing was kept"),
        (whole(CONTENT + b"!"), ModelError, f"expected {len(CONTENT)} bytes, received more"),
        (endless, ModelError, f"expected {len(CONTENT)} bytes, received more"),
        (whole(b""), ModelError, f"expected {len(CONTENT)} bytes, received 0"),
        (interrupted, ModelError, "connection broke"),
        (no_http, ModelError, "connection broke"),
        (failing, ModelError, "the server answers 404"),
        (moved("http://localhost:{port}/there"), ModelError, "redirects to http://localhost"),
        (moved("https://127.0.0.1:{port}/there"), ModelError, "redirects to https://127.0.0.1"),
        (moved("http://evil.invalid/some.onnx"), ModelError, "redirects to http://evil.invalid"),
        (moved("file:///etc/passwd"), ModelError, "'file:///etc/passwd' is not allowed"),
        (moved("http://127.0.0.1:{port}/some.onnx"), ModelError, "the server answers 302"),
    ],
    ids=["other-bytes", "longer", "endless", "empty", "interrupted", "no-http", "404", "redirect-host",
         "redirect-scheme", "redirect-far", "redirect-file", "redirect-loop"],
)  # fmt: skip
def test_what_is_not_the_file_is_refused_and_nothing_is_kept(
    tmp_path: Path, answer: Answer, error: type[MaskwatchError], says: str
) -> None:
    with server(answer) as url, pytest.raises(error, match=says):
        pull(FILE, tmp_path, url)
    assert list((tmp_path / "some-net").iterdir()) == []


def test_failure_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "some-net").mkdir()
    (tmp_path / "some-net" / "some.onnx").write_bytes(b"an older one")
    with server(interrupted) as url, pytest.raises(ModelError):
        pull(FILE, tmp_path, url)
    assert (tmp_path / "some-net" / "some.onnx").read_bytes() == b"an older one"


def test_redirect_of_a_server_to_itself_is_followed(tmp_path: Path) -> None:
    with server(moved("/there")) as url:
        assert pull(FILE, tmp_path, url).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "url",
    ["http://models.invalid/some.onnx", "ftp://127.0.0.1/some.onnx", "file:///etc/passwd", "http://[broken/some.onnx"],
)  # fmt: skip
def test_address_that_nobody_vouches_for_is_not_asked(tmp_path: Path, url: str) -> None:
    with pytest.raises(ModelError, match=r"expected an https:// address, or http:// of this machine"):
        pull(FILE, tmp_path, url)


def test_without_internet_the_way_round_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"can't be reached .* fetch some\.onnx elsewhere and give it with --from"):
        pull(replace(FILE, url=f"https://127.0.0.1:{free_port()}/some.onnx"), tmp_path)


def test_server_that_falls_silent_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.pull._SILENCE_S", 0.2)
    done = threading.Event()

    def silent(request: BaseHTTPRequestHandler) -> None:
        interrupted(request)
        done.wait(10)

    with server(silent) as url:
        with pytest.raises(ModelError, match="timed out"):
            pull(FILE, tmp_path, url)
        done.set()


def test_server_that_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.pull._WITHIN_S", -1.0)
    with server(whole(CONTENT)) as url, pytest.raises(ModelError, match="not done within"):
        pull(FILE, tmp_path, url)


def test_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match=r"can't be written .*models\.dir"):
        pull(FILE, tmp_path / "file" / "models")


def test_credentials_of_a_mirror_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        pull(FILE, tmp_path, "http://user:secret@models.invalid/some.onnx")
    assert "secret" not in str(caught.value)


def run(folder: Path, *words: str) -> tuple[int, str]:
    """Run `maskwatch models` on a folder of models; return exit code and all output."""
    result = CliRunner().invoke(models, list(words), env={"MASKWATCH_MODELS__DIR": str(folder)})
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def test_command_pulls_lists_and_verifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.pulled.PULLABLE", {FILE.name: FILE})
    code, output = run(tmp_path, "list")
    assert (code, "some-net 1: bytes, 0.1 MB, not here; run: maskwatch models pull some-net" in output) == (0, True)
    with server(whole(CONTENT)) as url:
        code, output = run(tmp_path, "pull", "some-net", "--from", url)
    assert (code, output) == (0, f"some-net 1 is in {tmp_path}/some-net/some.onnx (MIT)\n")
    assert "some-net 1: bytes, 0.1 MB, pulled" in run(tmp_path, "list")[1]
    assert "some-net: ok, 1 files" in run(tmp_path, "verify", "some-net")[1]
    (tmp_path / "some-net" / "some.onnx").write_bytes(b"damaged")
    code, output = run(tmp_path, "verify")
    assert (code, "some.onnx: expected sha256" in output) == (1, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pull"], "give a NAME or --all"),
        (["pull", "yolo"], "unknown: yolo; give a NAME or --all; there is: yunet"),
        (["pull", "yunet", "yunet", "--from", "x"], "--from goes with one NAME"),
    ],
)
def test_command_line_that_is_wrong_is_a_usage_error(tmp_path: Path, words: list[str], says: str) -> None:
    code, output = run(tmp_path, *words)
    assert (code, says in output) == (2, True), output


def test_everything_that_can_be_pulled_has_a_fixed_address_and_checksum() -> None:
    for name, one in PULLABLE.items():
        assert name == one.name
        assert one.url.startswith("https://")
        assert one.url.endswith(one.file)
        assert not {"main", "master", "latest"} & set(one.url.split("/"))


def test_yunet_of_the_developers_is_the_one_that_is_pulled(tmp_path: Path) -> None:
    path = pull(YUNET, tmp_path, str(shared_path(f"data/weights/{YUNET.file}")))
    assert len(path.read_bytes()) == YUNET.size_bytes


def test_file_below_a_home_folder_that_nobody_has_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"~nobody-of-that-name/x: can't be read \(No such file or directory\)"):
        pull(YUNET, tmp_path, "~nobody-of-that-name/x")

"""`maskwatch check` on real files, ports and servers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskwatch.checks import Check, Status, check_cameras, check_receivers, check_record, check_redis
from maskwatch.demo.scenes import frames
from maskwatch.embedded import EmbeddedServer, start_servers
from maskwatch.media import writer
from maskwatch.settings import parse_settings
from maskwatch.store import Store
from maskwatch.store.migrate import newest_version
from maskwatch.supervisor import Supervisor
from tests.support import free_port, wait_for


def check(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MASKWATCH_")}
    return subprocess.run(
        [sys.executable, "-m", "maskwatch", "check", *words],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        env=environ | {"HOME": str(home)},
    )


def cameras(text: str, *, probe: bool = False) -> dict[str, Check]:
    return {check.name: check for check in check_cameras(parse_settings(text, {}), probe=probe)}


def test_nothing_slow_is_imported_for_a_look() -> None:
    code = (
        "import sys, maskwatch.checks\n"
        "slow = {'structlog', 'redis', 'numpy', 'cv2', 'av', 'flask'} & set(sys.modules)\n"
        "sys.exit(', '.join(slow) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=250, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_record_is_looked_at_without_loading_what_makes_it(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/record.db") as store:
        store.upgrade()
    code = (
        "import sys\n"
        "from maskwatch.checks import check_record\n"
        "from maskwatch.settings import parse_settings\n"
        "print(check_record(parse_settings(sys.argv[1], {})).text)\n"
        "sys.exit('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", code, f"state_dir: '{tmp_path}'"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert newest_version() in done.stdout


def test_models_of_the_configuration_are_looked_at_too(tmp_path: Path) -> None:
    broken = tmp_path / "models" / "mine"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text("{")
    config = tmp_path / "cameras.yaml"
    config.write_text(f"models: {{dir: '{broken.parent}'}}\n")
    done = check("--config", str(config), home=tmp_path)
    assert done.returncode == 1
    assert "FAILED  models" in done.stdout
    assert str(broken / "manifest.json") in done.stdout


def test_output_is_a_line_for_each_check(tmp_path: Path) -> None:
    done = check(home=tmp_path)
    names = [line.split(":")[0].split(maxsplit=1)[1] for line in done.stdout.splitlines()]
    assert {
        "configuration",
        "machine",
        "packages",
        "engines",
        "models",
        "state_dir",
        "redis",
        "record",
        "cameras",
    } <= set(names)


def test_json_holds_the_same_checks_and_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "cameras.yaml"
    config.write_text("cameras: {lobby: {source: 'rtsp://me:hunter2@127.0.0.1:1/x'}}\n")
    done = check("--config", str(config), "--json", home=tmp_path)
    items = {item["name"]: item for item in json.loads(done.stdout)["items"]}
    assert items["camera lobby"]["status"] == "ok"
    assert "rtsp://***@127.0.0.1:1/x" in items["camera lobby"]["text"]
    assert "hunter2" not in done.stdout + done.stderr


def test_record_is_looked_at_and_not_made(tmp_path: Path) -> None:
    settings = parse_settings(f"state_dir: {tmp_path}", {})
    assert check_record(settings).status is Status.OK
    assert list(tmp_path.iterdir()) == []
    with Store(settings.record_url) as store:
        store.upgrade()
    assert f"version {newest_version()}" in check_record(settings).text
    (tmp_path / "record.db").write_bytes(b"no database" * 100)
    assert check_record(settings).status is Status.FAILED


def test_database_that_is_away_fails_the_check_without_its_password() -> None:
    url = f"postgresql://me:s3cret@127.0.0.1:{free_port()}/records"
    found = check_record(parse_settings("store: {url: '" + url + "'}", {}))
    assert found.status is Status.FAILED
    assert "127.0.0.1/records" in found.text
    assert "s3cret" not in found.text


# Apprise asks for a module that Python 3.13 no longer has.
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_receivers_are_looked_at_and_told_nothing() -> None:
    text = """
cameras: {lobby: {source: 'webcam:0', zones: {door: {polygon: [[0, 0], [1, 0], [1, 1]], require_mask: true}}}}
notify:
  receivers:
    ward: {apprise: 'mailtos://me:hunter2@example.org', cameras: [lobby], zones: [door], rules: [door]}
    typo: {apprise: 'nosuchservice://hunter2@example.org'}
    lost: {mqtt: 'mqtts://me:hunter2@example.org', zones: [dor]}
    open: {webhook: 'http://me:hunter2@example.org/hunter2', secret: hunter2-hunter2-hunter2}
"""
    found = {check.name: check for check in check_receivers(parse_settings(text, {}))}
    assert {name: check.status for name, check in found.items()} == {
        "receiver ward": Status.OK,
        "receiver typo": Status.FAILED,
        "receiver lost": Status.WARNING,
        "receiver open": Status.WARNING,
    }
    assert "zone dor" in found["receiver lost"].text
    assert "not encrypted" in found["receiver open"].text
    assert not any("hunter2" in check.text for check in found.values())


def test_wrong_configuration_ends_with_2_and_its_line(tmp_path: Path) -> None:
    config = tmp_path / "cameras.yaml"
    config.write_text("cameras:\n  lobby: {sorce: webcam:0}\n")
    done = check("--config", str(config), home=tmp_path)
    assert done.returncode == 2
    assert f"{config}:2: cameras.lobby: unknown key 'sorce'; did you mean 'source'?" in done.stderr


def test_failed_check_ends_with_1(tmp_path: Path) -> None:
    config = tmp_path / "cameras.yaml"
    config.write_text("cameras: {walk: {source: nothing.mp4}}\n")
    done = check("--config", str(config), home=tmp_path)
    assert done.returncode == 1
    assert "FAILED  camera walk:" in done.stdout


def test_probe_tells_what_each_camera_gives(tmp_path: Path) -> None:
    film = tmp_path / "corridor.mp4"
    with writer.VideoWriter(film, (640, 360), 12) as out:
        for number, frame in enumerate(frames("corridor")):
            out.write(frame)
            if number == 12:
                break
    empty = tmp_path / "empty.mp4"
    empty.touch()
    found = cameras(
        "cameras:\n"
        f"  film: {{source: {film}}}\n"
        f"  empty: {{source: {empty}}}\n"
        f"  nobody: {{source: 'rtsp://me:hunter2@127.0.0.1:{free_port()}/x', timeout_s: 2}}\n"
        "  off: {source: 'webcam:9', enabled: false}\n",
        probe=True,
    )
    assert found["camera film"].status is Status.OK
    assert "live, 640 x 360" in found["camera film"].text
    assert found["camera empty"].status is Status.FAILED
    assert found["camera nobody"].status is Status.FAILED
    assert "offline" in found["camera nobody"].text
    assert "hunter2" not in found["camera nobody"].text
    assert found["camera off"].status is Status.OK


def test_probe_of_a_silent_peer_is_bounded_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        text = f"cameras: {{silent: {{source: 'rtsp://127.0.0.1:{port}/x', timeout_s: 1}}}}"
        assert cameras(text, probe=True)["camera silent"].status is Status.FAILED


def test_no_camera_is_worth_a_warning() -> None:
    assert cameras("")["cameras"].status is Status.WARNING


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[EmbeddedServer, EmbeddedServer]]:
    supervisor = Supervisor()

    def pause(seconds: float) -> bool:
        wait_for(lambda: True, seconds, "a moment")
        return False

    yield start_servers(supervisor, tmp_path, os.environ, 0, pause)
    supervisor.stop()


def redis_checks(live: str, durable: str) -> dict[str, Check]:
    settings = parse_settings(f"redis: {{live: '{live}', durable: '{durable}'}}", {})
    return {check.name: check for check in check_redis(settings.redis)}


def test_servers_with_the_right_settings_are_ok(servers: tuple[EmbeddedServer, EmbeddedServer]) -> None:
    found = redis_checks(servers[0].url, servers[1].url)
    assert {check.status for check in found.values()} == {Status.OK}


def test_servers_that_are_swapped_are_warned_of(servers: tuple[EmbeddedServer, EmbeddedServer]) -> None:
    found = redis_checks(servers[1].url, servers[0].url)
    assert found["redis live"].status is Status.WARNING
    assert "append-only" in found["redis live"].text
    assert "events may be lost" in found["redis durable"].text


def test_one_server_for_both_is_warned_of(servers: tuple[EmbeddedServer, EmbeddedServer]) -> None:
    settings = parse_settings(f"redis: '{servers[0].url}'", {})
    outcomes = list(check_redis(settings.redis))
    assert [outcome.status for outcome in outcomes] == [Status.WARNING, Status.OK]


def test_wrong_password_is_told_without_showing_one(servers: tuple[EmbeddedServer, EmbeddedServer]) -> None:
    url = f"redis://:hunter2@127.0.0.1:{servers[0].port}/0"
    failed = redis_checks(url, servers[1].url)["redis live"]
    assert failed.status is Status.FAILED
    assert "password" in failed.text
    assert "hunter2" not in failed.text


def test_server_that_is_not_there_fails() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    assert redis_checks(url, f"{url}1")["redis live"].status is Status.FAILED

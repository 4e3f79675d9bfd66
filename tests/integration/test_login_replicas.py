"""Sessions over restarts and replicas, with a real Redis and a real state folder."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis
from flask import Flask
from structlog.testing import capture_logs

from maskwatch.broker.connect import connect
from maskwatch.errors import ConfigError
from maskwatch.settings import Settings, parse_settings
from maskwatch.settings.web_secrets import WebSecrets
from tests.support import free_port
from tests.support_bus import FakeBus, FakeClock
from tests.support_login import PASSWORD, PLAIN, csrf_token, log_in
from tests.support_redis import redis_server
from web.app import create_app
from web.login.common import Common, Door
from web.login.session_key import KEY_NAME, session_key
from web.login.visitor import Login
from web.site import site_of

LOGIN = WebSecrets(password=PASSWORD)


def settings_in(folder: Path, more: str = "") -> Settings:
    return parse_settings(f"state_dir: {folder}\nweb: {{password: {PASSWORD}{more}}}", {})


@contextmanager
def replica(settings: Settings, client: redis.Redis) -> Iterator[Flask]:
    app = create_app(settings, FakeBus(), login=Login.kept(settings, client))
    try:
        yield app
    finally:
        site_of(app).hub.close()


def test_session_holds_at_every_replica_and_ends_at_every_one(tmp_path: Path, redis_client: redis.Redis) -> None:
    settings = settings_in(tmp_path)
    with replica(settings, redis_client) as one, replica(settings, redis_client) as two:
        here, there = one.test_client(), two.test_client()
        entered = log_in(here)
        name, _, value = entered.headers["Set-Cookie"].partition(";")[0].partition("=")
        there.set_cookie(name, value)
        assert there.get("/api/v1/cameras").status_code == 200
        token = csrf_token(here.get("/", headers={"Accept": "text/html"}))
        assert here.post("/logout", data={"csrf_token": token}, headers=PLAIN).status_code == 303
        assert there.get("/api/v1/cameras").status_code == 401
    with replica(settings, redis_client) as after_restart:
        later = after_restart.test_client()
        later.set_cookie(name, value)
        assert later.get("/api/v1/cameras").status_code == 401
    assert all(key.startswith(b"{mw}:login:") for key in redis_client.scan_iter())
    assert all(0 < redis_client.ttl(key) <= settings.web.session_hours * 3600 for key in redis_client.scan_iter())


def test_attempts_are_counted_over_all_replicas(redis_client: redis.Redis) -> None:
    one, two = Common(redis_client), Common(redis_client)
    free = [each.wait_s(Door.PASSWORD, "10.0.0.1") == 0 for _ in range(6) for each in (one, two)]
    assert free == [True] * 10 + [False] * 2
    assert 1 <= two.wait_s(Door.PASSWORD, "10.0.0.1") <= 60


def test_attempts_at_one_moment_are_counted_one_by_one(redis_client: redis.Redis) -> None:
    common = Common(redis_client)
    free: list[bool] = []
    begin = threading.Barrier(20)

    def attempt() -> None:
        begin.wait(60)
        free.append(common.wait_s(Door.PASSWORD, "10.0.0.1") == 0)

    threads = [threading.Thread(target=attempt) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(free) == 10


def test_login_works_while_redis_is_away_and_asks_it_again_later() -> None:
    clock, port = FakeClock(), free_port()
    with ExitStack() as stack, capture_logs() as lines:
        client = stack.enter_context(connect(f"redis://127.0.0.1:{port}/0"))
        common = Common(client, clock)
        free = [common.wait_s(Door.PASSWORD, "10.0.0.1") == 0 for _ in range(11)]
        assert free == [True] * 10 + [False]
        common.end_session("a", 60)
        assert common.is_ended("a")
        assert not common.is_ended("b")
        assert [line["event"] for line in lines] == ["login.redis_away"]
        stack.enter_context(redis_server(port=port))
        assert not common.wait_s(Door.PASSWORD, "10.0.0.2")
        clock.now += 6
        assert not common.wait_s(Door.PASSWORD, "10.0.0.1")
        assert Common(client).wait_s(Door.PASSWORD, "10.0.0.2") == 0
        assert client.keys("{mw}:login:*10.0.0.1*")


def test_key_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "state")
    key = session_key(settings, LOGIN)
    path = tmp_path / "state" / KEY_NAME
    assert len(key) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert session_key(settings, LOGIN) == key == path.read_bytes()
    assert os.listdir(path.parent) == [KEY_NAME]


def test_replicas_that_begin_at_one_moment_agree_on_a_key(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    found: set[bytes] = set()
    begin = threading.Barrier(8)

    def make() -> None:
        begin.wait(60)
        found.add(session_key(settings, LOGIN))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 1
    assert os.listdir(tmp_path) == [KEY_NAME]


def test_given_secret_needs_no_folder() -> None:
    settings = settings_in(Path("/proc/nowhere"), f", session_secret: {'s' * 32}")
    assert session_key(settings, WebSecrets(PASSWORD, session_secret="s" * 32)) == b"s" * 32


def test_key_that_can_not_be_kept_ends_a_site_with_a_login_and_no_other() -> None:
    settings = settings_in(Path("/proc/nowhere"))
    with pytest.raises(ConfigError, match=r"/proc/nowhere/session\.key.*web\.session_secret_file"):
        session_key(settings, LOGIN)
    with capture_logs() as lines:
        assert len(session_key(settings, WebSecrets())) >= 32
    assert [line["event"] for line in lines] == ["web.session_key_not_kept"]


def test_file_that_is_no_key_is_told(tmp_path: Path) -> None:
    (tmp_path / KEY_NAME).write_bytes(b"short")
    with pytest.raises(ConfigError, match="expected a key of 32 bytes, received 5"):
        session_key(settings_in(tmp_path), LOGIN)

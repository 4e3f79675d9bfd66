from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maskwatch.errors import ConfigError
from maskwatch.settings import SourceKind, load_settings, parse_settings

SECRET = "s3cr/et@#: pass"


def error_of(text: str, environ: dict[str, str] | None = None, overrides: dict[str, Any] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, environ or {}, name="cameras.yaml", overrides=overrides)
    return str(caught.value)


def test_empty_configuration_has_defaults_and_no_cameras() -> None:
    settings = parse_settings("", {})
    assert settings.cameras == {}
    assert settings.redis is None
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8080)


def test_unknown_key_names_line_and_near_key() -> None:
    message = error_of("cameras:\n  lobby:\n    sorce: webcam:0\n    source: webcam:0\n")
    assert message == "cameras.yaml:3: cameras.lobby: unknown key 'sorce'; did you mean 'source'?"


def test_unknown_key_at_the_top_names_near_key() -> None:
    assert error_of("\ncamera: {}\n") == "cameras.yaml:2: top level: unknown key 'camera'; did you mean 'cameras'?"


def test_unknown_key_without_a_near_one_lists_the_known() -> None:
    message = error_of("web: {zzz: 1}\n")
    assert "unknown key 'zzz'; known: host, port" in message


def test_unknown_key_in_defaults_names_line_and_near_key() -> None:
    message = error_of("defaults:\n  fpss: 3\n")
    assert message == "cameras.yaml:2: defaults: unknown key 'fpss'; did you mean 'fps'?"


def test_source_is_no_default() -> None:
    assert "defaults: unknown key 'source'" in error_of("defaults: {source: webcam:0}\n")


def test_all_mistakes_are_told_at_once() -> None:
    message = error_of("web: {port: 70000}\nlog:\n  level: loud\n")
    assert "cameras.yaml:1: web.port: " in message
    assert "cameras.yaml:3: log.level: " in message


def test_duplicate_camera_names_both_lines() -> None:
    message = error_of("cameras:\n  lobby: {source: webcam:0}\n  lobby: {source: webcam:1}\n")
    assert message == "cameras.yaml:3: camera 'lobby' is given twice (first in line 2); rename one"


def test_wrong_type_names_line_and_key() -> None:
    message = error_of("cameras:\n  lobby:\n    source: webcam:0\n    fps: fast\n")
    assert message == "cameras.yaml:4: cameras.lobby.fps: expected a number, received text"


@pytest.mark.parametrize("fps", ["0", "61", ".nan", ".inf", "-5", "[]"])
def test_fps_out_of_bounds_is_refused(fps: str) -> None:
    assert "cameras.yaml:1: cameras.lobby.fps: " in error_of(f"cameras: {{lobby: {{source: webcam:0, fps: {fps}}}}}")


def test_missing_source_is_named() -> None:
    assert "cameras.yaml:2: cameras.lobby: key 'source' is missing" in error_of("cameras:\n  lobby: {fps: 3}\n")


@pytest.mark.parametrize("name", ["-lobby", "front door", "a/b", "x" * 64, "ümlaut"])
def test_unsafe_camera_name_is_refused(name: str) -> None:
    message = error_of(f"cameras:\n  {name}: {{source: webcam:0}}\n")
    assert f"cameras.yaml:2: camera name {name!r}: expected letters, digits, - and _" in message


def test_key_called_on_is_not_a_boolean() -> None:
    settings = parse_settings("cameras: {desk: {source: webcam:0, on: front-pc}}", {})
    assert settings.cameras["desk"].on == "front-pc"


def test_camera_inherits_defaults_and_overrides_them() -> None:
    text = "defaults: {fps: 10, width: 320}\ncameras:\n  a: {source: webcam:0}\n  b: {source: webcam:1, fps: 2}\n"
    cameras = parse_settings(text, {}).cameras
    assert (cameras["a"].fps, cameras["a"].width) == (10, 320)
    assert (cameras["b"].fps, cameras["b"].width) == (2, 320)


def test_wrong_default_is_told_at_its_own_line() -> None:
    message = error_of("defaults:\n  width: 3\ncameras:\n  a: {source: webcam:0}\n")
    assert message.startswith("cameras.yaml:2: cameras.a.width: ")


@pytest.mark.parametrize(
    "text", ["[]", "5", "hello", "cameras: [a]\n", "cameras: {lobby: webcam:0}", "web: 5", "defaults: 3"]
)
def test_wrong_shape_is_a_configuration_error(text: str) -> None:
    assert "cameras.yaml:1" in error_of(text)


@pytest.mark.parametrize("text", ["cameras: {", "a: b: c", "\tx: 1", "x: 'open", "log: !!python/name:os.system x"])
def test_broken_yaml_names_the_file(text: str) -> None:
    assert error_of(text).startswith("cameras.yaml:1")


def test_empty_cameras_key_is_no_camera() -> None:
    assert parse_settings("cameras:\n", {}).cameras == {}


def test_aliases_that_explode_are_refused() -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "values" in error_of("\n".join(lines))


def test_endless_nesting_is_refused() -> None:
    assert "nested more than" in error_of("cameras: &x\n  lobby: *x\n")


# --- environment ---


def test_environment_wins_over_the_file() -> None:
    settings = parse_settings("web: {port: 1000, host: '::1'}", {"MASKWATCH_WEB__PORT": "2000"})
    assert (settings.web.port, settings.web.host) == (2000, "::1")


def test_command_line_wins_over_the_environment() -> None:
    settings = parse_settings("", {"MASKWATCH_WEB__PORT": "2000"}, overrides={"web": {"port": 3000}})
    assert settings.web.port == 3000


def test_environment_may_add_and_change_cameras_and_defaults() -> None:
    environ = {"MASKWATCH_CAMERAS__Lobby__SOURCE": "webcam:3", "MASKWATCH_DEFAULTS__FPS": "7"}
    camera = parse_settings("", environ).cameras["Lobby"]
    assert camera.parsed().kind is SourceKind.WEBCAM
    assert camera.fps == 7


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("MASKWATCH_WBE__PORT", "; did you mean MASKWATCH_WEB?"),
        ("MASKWATCH_WEB__PROT", "; did you mean MASKWATCH_WEB__PORT?"),
        ("MASKWATCH_DEFAULTS__FPSS", "; did you mean MASKWATCH_DEFAULTS__FPS?"),
        ("MASKWATCH_CAMERAS__Lobby__SORCE", "; did you mean MASKWATCH_CAMERAS__Lobby__SOURCE?"),
        ("MASKWATCH_ZZZZ", ""),
        ("MASKWATCH_", ""),
        ("MASKWATCH_WEB__", ""),
        ("MASKWATCH_BASE", ""),
    ],
)
def test_misspelt_variable_is_an_error_that_names_a_near_one(variable: str, hint: str) -> None:
    assert error_of("", {variable: "1"}) == f"environment variable {variable}: no setting of that name{hint}"


def test_wrong_value_of_a_variable_names_the_variable_not_a_line() -> None:
    message = error_of("web:\n  port: 8080\n", {"MASKWATCH_WEB__PORT": "soon"})
    assert message.startswith("environment variable MASKWATCH_WEB__PORT: web.port: ")


def test_variable_for_a_whole_and_for_its_part_is_refused() -> None:
    environ = {"MASKWATCH_REDIS": "redis://a", "MASKWATCH_REDIS__LIVE": "redis://b"}
    assert "MASKWATCH_REDIS__LIVE: redis is set as a whole" in error_of("", environ)


def test_variables_of_other_programs_and_of_our_tools_are_left_alone() -> None:
    assert parse_settings("", {"MASKWATCH_REQUIRE_ALL": "1", "MASKWATCH_CONFIG": "x", "MASKWATCHER": "y"}).cameras == {}


def test_one_redis_url_serves_for_both_and_is_noticed() -> None:
    redis = parse_settings("redis: redis://localhost/0", {}).require_redis()
    assert redis.is_single
    two = parse_settings("redis: {live: redis://a/0, durable: redis://b/0}", {}).require_redis()
    assert not two.is_single


def test_missing_redis_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="MASKWATCH_REDIS__LIVE"):
        parse_settings("", {}).require_redis()


def test_address_that_others_reach_wants_insecure_spelled_out() -> None:
    assert "--insecure" in error_of("web: {host: 0.0.0.0}")
    assert parse_settings("web: {host: 0.0.0.0, insecure: true}", {}).web.host == "0.0.0.0"


# --- secrets ---


def test_missing_variable_names_line_key_and_variable() -> None:
    message = error_of("cameras:\n  lobby:\n    source: rtsp://u:${LOBBY}@host/1\n")
    assert message == "cameras.yaml:3: cameras.lobby.source: environment variable LOBBY is not set"


def test_variable_that_is_not_set_is_looked_for_in_the_folders_of_secrets(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "LOBBY").write_text("of a file/\n")
    text = 'cameras: {lobby: {source: "rtsp://me:${LOBBY}@10.0.0.5/a"}}'
    environ = {"MASKWATCH_SECRETS": f"{tmp_path / 'missing'}:{tmp_path / 'b'}"}
    found = parse_settings(text, environ).cameras["lobby"].source.get_secret_value()
    assert found == "rtsp://me:of%20a%20file%2F@10.0.0.5/a"
    found = parse_settings(text, {**environ, "LOBBY": "own"}).cameras["lobby"].source.get_secret_value()
    assert found == "rtsp://me:own@10.0.0.5/a"
    message = error_of(text.replace("LOBBY", "OTHER"), environ)
    assert "environment variable OTHER is not set, and there is no file of that name in " in message


def test_secret_that_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "LOBBY").mkdir()
    message = error_of("cameras: {lobby: {source: '${LOBBY}'}}", {"MASKWATCH_SECRETS": str(tmp_path)})
    assert "LOBBY can't be read: Is a directory" in message


def test_variables_of_the_environment_may_name_secrets_too(tmp_path: Path) -> None:
    (tmp_path / "REDIS_PASSWORD").write_text("a:b\n")
    url = "redis://:${REDIS_PASSWORD}@redis-live:6379/0"
    environ = {"MASKWATCH_SECRETS": str(tmp_path), "MASKWATCH_REDIS__LIVE": url, "MASKWATCH_REDIS__DURABLE": url}
    redis = parse_settings("", environ).require_redis()
    assert redis.live.get_secret_value() == "redis://:a%3Ab@redis-live:6379/0"


def test_secret_in_the_user_part_of_a_url_is_percent_encoded() -> None:
    text = "cameras: {lobby: {source: 'rtsp://me:${PW}@host:554/1'}}"
    source = parse_settings(text, {"PW": SECRET}).cameras["lobby"].parsed()
    assert source.location == "rtsp://me:s3cr%2Fet%40%23%3A%20pass@host:554/1"


def test_variable_that_is_the_whole_url_is_not_encoded() -> None:
    settings = parse_settings("cameras: {lobby: {source: '${URL}'}}", {"URL": "rtsp://u:p@h/1"})
    assert settings.cameras["lobby"].parsed().location == "rtsp://u:p@h/1"


def test_variable_after_the_host_is_not_encoded() -> None:
    settings = parse_settings("cameras: {lobby: {source: 'http://u:p@h/${PATH_}'}}", {"PATH_": "a/b?c"})
    assert settings.cameras["lobby"].parsed().location == "http://u:p@h/a/b?c"


def test_secret_that_looks_like_a_reference_is_not_expanded_again() -> None:
    settings = parse_settings("cameras: {lobby: {source: 'rtsp://u:${A}@h/1'}}", {"A": "${B}"})
    assert "%24%7BB%7D" in settings.cameras["lobby"].parsed().location


def test_redis_password_is_percent_encoded_too() -> None:
    settings = parse_settings("redis: 'redis://:${PW}@localhost:6379/0'", {"PW": "a/b@c"})
    assert settings.require_redis().live.get_secret_value() == "redis://:a%2Fb%40c@localhost:6379/0"


def test_no_secret_in_repr_or_dump() -> None:
    text = f"redis: redis://:{'hunter2'}@h/0\ncameras: {{lobby: {{source: 'rtsp://me:hunter2@host/1'}}}}"
    settings = parse_settings(text, {})
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    shown += f"{settings.cameras['lobby'].parsed()!r} {settings.cameras['lobby'].shown_source}"
    assert "hunter2" not in shown
    assert settings.cameras["lobby"].shown_source == "rtsp://***@host/1"


@pytest.mark.parametrize(
    "text",
    [
        "cameras: {lobby: {source: 'rtsp://me:hunter2@host:99999/1'}}",
        "cameras: {lobby: {source: 'rtsp://me:hunter2/x@host:port/1'}}",
        "cameras: {lobby: {source: 'rtsp://me:hunter2 y@host:port/1'}}",
        "cameras: {lobby: {source: 'rtsp://me:hunter2@'}}",
        "cameras: {lobby: {source: 'http://host:port/?password=hunter2'}}",
        "cameras: {lobby: {source: ['rtsp://me:hunter2@host/1']}}",
        "cameras: {lobby: {source: {a: hunter2}}}",
        "cameras: {lobby: 'rtsp://me:hunter2@host/1'}",
        "cameras: 'rtsp://me:hunter2@host/1'",
        "redis: {live: 'http://:hunter2@h/0', durable: hunter2}",
        "redis: hunter2",
        "redis: [hunter2]",
        "web: hunter2",
        "web: {port: hunter2}",
        "log: {level: hunter2}",
    ],
)
def test_no_value_in_an_error(text: str) -> None:
    assert "hunter2" not in error_of(text)


def test_no_value_of_a_variable_in_an_error() -> None:
    assert "hunter2" not in error_of("", {"MASKWATCH_REDIS__LIVE": "hunter2", "MASKWATCH_WEB__PORT": "hunter2"})


def test_password_that_looks_like_yaml_is_kept_in_a_variable() -> None:
    url = "redis://:{a: b, c}@h/0"
    settings = parse_settings("", {"MASKWATCH_REDIS__LIVE": url, "MASKWATCH_REDIS__DURABLE": url})
    assert settings.require_redis().live.get_secret_value() == url


def test_folder_that_looks_like_yaml_is_kept_in_a_variable() -> None:
    assert parse_settings("", {"MASKWATCH_STATE_DIR": "/a: b #c"}).state_dir == Path("/a: b #c")


# --- files ---


def test_missing_file_says_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: can't be read: No such file.*--config"):
        load_settings(tmp_path / "nothing.yaml", {})


def test_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        load_settings(tmp_path, {})


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(path, {})


def test_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (5 << 20))
    with pytest.raises(ConfigError, match="expected at most"):
        load_settings(path, {})


def test_relative_sources_start_at_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("cameras: {walk: {source: videos/walk.mp4}}")
    settings = load_settings(path, {})
    assert settings.cameras["walk"].parsed(settings.base).location == str(tmp_path / "videos/walk.mp4")


def test_settings_cant_be_changed_after_reading() -> None:
    settings = parse_settings("", {})
    with pytest.raises(ValueError, match="frozen"):
        settings.web.port = 1


def test_camera_inherits_single_keys_of_a_part() -> None:
    text = """
defaults: {motion: {threshold: 12, hold_s: 5}}
cameras:
  a: {source: 'webcam:0', motion: {hold_s: 1}}
  b: {source: 'webcam:1'}
"""
    cameras = parse_settings(text, {"MASKWATCH_CAMERAS__b__MOTION__ENABLED": "false"}).cameras
    assert (cameras["a"].motion.threshold, cameras["a"].motion.hold_s) == (12, 1)
    assert (cameras["b"].motion.enabled, cameras["b"].motion.hold_s) == (False, 5)


def test_mistake_in_a_part_of_the_defaults_names_its_line_and_a_near_key() -> None:
    text = "defaults:\n  motion:\n    treshold: 12\ncameras: {a: {source: 'webcam:0'}}\n"
    with pytest.raises(ConfigError, match=r":3: .*motion: unknown key 'treshold'; did you mean 'threshold'\?"):
        parse_settings(text, {})


def test_empty_variable_leaves_a_secret_out() -> None:
    assert parse_settings("", {"MASKWATCH_STORE__URL": ""}).store.url is None

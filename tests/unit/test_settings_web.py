from __future__ import annotations

import pytest

from maskwatch.errors import ConfigError
from maskwatch.settings import parse_settings
from maskwatch.settings.web_secrets import WebSecrets, read_web_secrets

PASSWORD, TOKEN = "long-correct-horse", "t" * 20


def error_of(web: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_settings(f"web: {{{web}}}", environ or {}, name="cameras.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    "web", [f"password: {PASSWORD}", "password_file: p", f"tokens: {{a: {TOKEN}}}", "tokens_file: t"]
)
def test_address_that_others_reach_is_allowed_with_a_login(web: str) -> None:
    settings = parse_settings(f"web: {{host: 0.0.0.0, {web}}}", {})
    assert settings.web.has_login
    assert not settings.web.insecure


def test_token_for_metrics_is_no_login() -> None:
    message = error_of(f"host: 0.0.0.0, metrics_token: {TOKEN}")
    assert "web.password" in message
    assert "--insecure" in message


@pytest.mark.parametrize(
    ("web", "where", "what"),
    [
        ("password: short", "web.password", "at least 8 characters"),
        ("tokens: {a: short}", "web.tokens.a", "at least 20 characters"),
        (f"tokens: {{a: '{TOKEN} {TOKEN}'}}", "web.tokens.a", "without spaces"),
        (f"tokens: {{a: {TOKEN}, b: {TOKEN}}}", "web.tokens.b", "another program has the same"),
        ("metrics_token: short", "web.metrics_token", "token_urlsafe"),
        (f"session_secret: {TOKEN}", "web.session_secret", "at least 32 characters"),
        (f"password: {PASSWORD}, password_file: p", "web.password_file", "keep one of them"),
        ("hosts: ['https://cams.example']", "web.hosts", "without a port"),
        ("hosts: ['cams.example:8080']", "web.hosts", "without a port"),
        ("tokens: {'a b': tttttttttttttttttttt}", "token name 'a b'", "letters, digits"),
    ],
)
def test_secrets_that_are_no_good_are_told_without_telling_them(web: str, where: str, what: str) -> None:
    message = error_of(web)
    assert message.startswith("cameras.yaml:1: ")
    assert where in message
    assert what in message
    assert PASSWORD not in message
    assert TOKEN not in message
    assert "short" not in message


@pytest.mark.parametrize(
    "password", ["12345678", "1e100000", "on: off, x", "#hash-first", "[1, 2, 3]", "  null and void  "]
)
def test_password_in_a_variable_is_taken_as_it_is(password: str) -> None:
    settings = parse_settings("", {"MASKWATCH_WEB__PASSWORD": password})
    assert settings.web.password is not None
    assert settings.web.password.get_secret_value() == password


def test_token_in_a_variable_is_named_by_it() -> None:
    settings = parse_settings("", {"MASKWATCH_WEB__TOKENS__Home-1": "1" * 20})
    assert read_web_secrets(settings).tokens == {"Home-1": "1" * 20}


def test_secrets_have_no_text() -> None:
    secrets = WebSecrets(password=PASSWORD, tokens={"a": TOKEN})
    assert PASSWORD not in repr(secrets)
    assert TOKEN not in str(secrets)
    settings = parse_settings(f"web: {{password: {PASSWORD}, tokens: {{a: {TOKEN}}}}}", {})
    assert PASSWORD not in repr(settings)
    assert TOKEN not in repr(settings)

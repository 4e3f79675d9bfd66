from __future__ import annotations

from pathlib import Path

import pytest

from maskwatch.checks import Status, check_login
from maskwatch.settings import parse_settings

PASSWORD, TOKEN = "long-correct-horse", "t" * 20


@pytest.mark.parametrize(
    ("web", "status", "what"),
    [
        ("", Status.OK, "none; 127.0.0.1:8080 is reached from this machine only"),
        ("host: 0.0.0.0, insecure: true", Status.WARNING, "everybody who reaches 0.0.0.0:8080 sees every camera"),
        (f"password: {PASSWORD}", Status.OK, "a password"),
        (f"password: {PASSWORD}, tokens: {{a: {TOKEN}}}", Status.OK, "a password and tokens of a"),
        (f"host: 0.0.0.0, tokens: {{a: {TOKEN}}}, proxies: 1", Status.OK, "tokens of a"),
        ("password: tooshort", Status.WARNING, "fewer than 12 characters"),
        (f"host: 0.0.0.0, password: {PASSWORD}", Status.WARNING, "travel unencrypted; put a proxy with TLS in front"),
        (f"password: {PASSWORD}, insecure: true", Status.WARNING, "web.insecure does nothing beside a login"),
        ("password_file: nothing-here", Status.FAILED, "web.password_file"),
    ],
)
def test_check_says_who_gets_in_and_what_is_weak_about_it(web: str, status: Status, what: str) -> None:
    check = check_login(parse_settings(f"web: {{{web}}}", {}, base=Path("/nowhere")))
    assert (check.name, check.status) == ("login", status)
    assert what in check.text
    assert PASSWORD not in check.text
    assert TOKEN not in check.text
    assert "tooshort" not in check.text

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from tests.support_login import PASSWORD, PLAIN, TOKEN, csrf_token, log_in, site_with
from web.login.forgery import check_csrf

SAME, CROSS = PLAIN, {"Sec-Fetch-Site": "cross-site"}


@pytest.fixture
def app() -> Iterator[Flask]:
    with site_with(f"password: {PASSWORD}, tokens: {{player: {TOKEN}}}") as app:
        app.add_url_rule("/change", "change", lambda: "changed", methods=["POST", "PUT", "PATCH", "DELETE"])
        app.add_url_rule("/api/v1/change", "api_change", lambda: "changed", methods=["POST", "DELETE"])
        app.view_functions["jobs.upload"] = upload
        app.url_map.add(app.url_rule_class("/upload", endpoint="jobs.upload", methods=["POST"]))
        yield app


def upload() -> str:
    untouched = "form" not in request.__dict__ and "files" not in request.__dict__
    check_csrf(request.form.get("csrf_token"))
    return "unread" if untouched else "read"


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    browser = app.test_client()
    log_in(browser)
    return browser


def token_of(browser: FlaskClient) -> str:
    return csrf_token(browser.get("/", headers={"Accept": "text/html"}))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_cookie_alone_changes_nothing(browser: FlaskClient, method: str) -> None:
    answer = browser.open("/change", method=method, headers=SAME)
    assert answer.status_code == 400
    assert "X-CSRFToken" in answer.text


def test_token_as_a_field_or_a_header_lets_a_page_change_things(browser: FlaskClient) -> None:
    token = token_of(browser)
    assert browser.post("/change", data={"csrf_token": token}, headers=SAME).status_code == 200
    assert browser.post("/change", headers={**SAME, "X-CSRFToken": token}).status_code == 200
    assert browser.delete("/api/v1/change", headers={**SAME, "X-CSRFToken": token}).status_code == 200
    assert browser.post("/change", data={"csrf_token": token + "x"}, headers=SAME).status_code == 400


def test_token_of_another_session_is_refused(app: Flask, browser: FlaskClient) -> None:
    other = app.test_client()
    log_in(other)
    assert browser.post("/change", data={"csrf_token": token_of(other)}, headers=SAME).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        CROSS,
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8081"},
        {"Origin": "http://["},
        {**CROSS, "Authorization": f"Bearer {TOKEN}"},
    ],
)
def test_page_of_another_site_is_refused_whatever_it_knows(browser: FlaskClient, headers: dict[str, str]) -> None:
    token = token_of(browser)
    answer = browser.post("/change", data={"csrf_token": token}, headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.text


@pytest.mark.parametrize("origin", ["http://localhost", "http://localhost:80", "https://localhost"])
def test_origin_that_names_this_host_is_ours(browser: FlaskClient, origin: str) -> None:
    answer = browser.post("/change", data={"csrf_token": token_of(browser)}, headers={"Origin": origin})
    assert answer.status_code == 200


def test_program_with_a_token_needs_no_other(app: Flask) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert app.test_client().post("/api/v1/change", headers=bearer).status_code == 200
    assert app.test_client().post("/api/v1/change").status_code == 401


def test_program_at_an_open_site_needs_none() -> None:
    with site_with("") as app:
        app.add_url_rule("/api/v1/change", "api_change", lambda: "changed", methods=["POST"])
        assert app.test_client().post("/api/v1/change").status_code == 200
        assert app.test_client().post("/api/v1/change", headers=SAME).status_code == 400
        assert app.test_client().post("/api/v1/change", headers=CROSS).status_code == 403


def test_api_reads_no_form_for_the_token(browser: FlaskClient) -> None:
    token = token_of(browser)
    assert browser.post("/api/v1/change", data={"csrf_token": token}, headers=SAME).status_code == 400


def test_view_that_reads_its_own_form_checks_it_itself(app: Flask, browser: FlaskClient) -> None:
    token = token_of(browser)

    def send(sender: FlaskClient, headers: dict[str, str], **fields: str) -> tuple[int, str]:
        data = {**fields, "file": (io.BytesIO(b"x"), "x.mp4")}
        answer = sender.post("/upload", data=data, headers=headers, content_type="multipart/form-data")
        return answer.status_code, answer.text

    assert send(browser, SAME, csrf_token=token) == (200, "unread")
    assert send(browser, {**SAME, "X-CSRFToken": token}) == (200, "unread")
    assert send(browser, SAME)[0] == 400
    assert send(browser, CROSS, csrf_token=token)[0] == 403
    assert send(app.test_client(), {"Authorization": f"Bearer {TOKEN}"}) == (200, "unread")


def test_login_itself_can_not_be_forged(app: Flask) -> None:
    form = {"password": PASSWORD}
    assert app.test_client().post("/login", data=form, headers=CROSS).status_code == 403
    assert app.test_client().post("/login", data=form, headers=SAME).status_code == 400


def test_logout_can_not_be_forged(browser: FlaskClient) -> None:
    assert browser.post("/logout", headers=CROSS).status_code == 403
    assert browser.post("/logout", headers=SAME).status_code == 400
    assert browser.get("/api/v1/cameras").status_code == 200

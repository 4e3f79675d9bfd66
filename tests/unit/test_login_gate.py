from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs

import pytest
from flask import Flask
from flask.testing import FlaskClient

from maskwatch.types import Verdict
from tests.support_bus import FakeBus, camera_view
from tests.support_feed import picture, result_with
from tests.support_login import METRICS_TOKEN, PASSWORD, PLAIN, TOKEN, csrf_token, log_in, site_with
from web.login import gate, visitor
from web.login.gate import OPEN
from web.site import site_of

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
GUARDED = f"password: {PASSWORD}, tokens: {{player: {TOKEN}}}, metrics_token: {METRICS_TOKEN}"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def bus() -> FakeBus:
    bus = FakeBus([camera_view("lobby")])
    bus.show("lobby", "l-1", picture(0), result_with(Verdict.WITH_MASK))
    return bus


@pytest.fixture
def app(bus: FakeBus) -> Iterator[Flask]:
    with site_with(GUARDED, bus) as app:
        yield app


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def test_no_route_is_open_but_those_that_have_to_be(app: Flask) -> None:
    seen = set()
    for rule in app.url_map.iter_rules():
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<path:{name}>", "x").replace(f"<{name}>", "x")
        for method in (rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}:
            with closing(app.test_client().open(path, method=method)) as answer:
                if answer.status_code != 401:
                    seen.add(rule.endpoint)
    assert seen <= set(OPEN)


@pytest.mark.parametrize("path", ["/", "/events", "/cameras/lobby", "/cameras/lobby/stream.mjpg", "/nowhere"])
def test_person_is_sent_to_the_login_and_comes_back(browser: FlaskClient, path: str) -> None:
    answer = browser.get(f"{path}?a=1&b=%2F", headers=HTML)
    assert answer.status_code == 302
    login, _, query = answer.headers["Location"].partition("?")
    assert (login, parse_qs(query)["next"]) == ("/login", [f"{path}?a=1&b=%2F"])
    entered = log_in(browser, wanted=f"{path}?a=1&b=%2F")
    assert (entered.status_code, entered.headers["Location"]) == (303, f"{path}?a=1&b=%2F")


@pytest.mark.parametrize(
    "path",
    ["/api/v1/cameras", "/api/v1/wall", "/api/v1/nothing", "/metrics", "/cameras/lobby/snapshot.jpg"],
)
def test_program_is_told_what_to_send(browser: FlaskClient, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert "Authorization: Bearer TOKEN" in answer.text
    assert browser.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert browser.get(path, headers=BEARER).status_code in (200, 404)


def test_player_gets_in_with_name_and_token(browser: FlaskClient) -> None:
    path = "/cameras/lobby/snapshot.jpg"
    challenges = browser.get(path).headers.getlist("WWW-Authenticate")
    assert any(challenge.lower().startswith("basic") for challenge in challenges)
    assert browser.get(path, headers=basic("player", TOKEN)).status_code == 200
    assert browser.get(path, headers=basic("other", TOKEN)).status_code == 401
    assert browser.get(path, headers=basic("player", PASSWORD)).status_code == 401


def test_picture_in_a_page_makes_no_browser_ask_for_a_password(browser: FlaskClient) -> None:
    answer = browser.get("/cameras/lobby/snapshot.jpg", headers=PLAIN)
    assert not any(each.lower().startswith("basic") for each in answer.headers.getlist("WWW-Authenticate"))


def test_password_is_no_token(browser: FlaskClient) -> None:
    assert browser.get("/api/v1/cameras", headers={"Authorization": f"Bearer {PASSWORD}"}).status_code == 401


def test_metrics_token_opens_what_prometheus_asks_for_and_nothing_else(browser: FlaskClient) -> None:
    header = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    assert browser.get("/metrics", headers=header).status_code == 200
    assert browser.get("/api/v1/discovery", headers=header).status_code == 200
    assert browser.get("/api/v1/cameras", headers=header).status_code == 401
    assert browser.get("/metrics", headers=BEARER).status_code == 200


def test_metrics_token_guards_metrics_of_an_open_site() -> None:
    with site_with(f"metrics_token: {METRICS_TOKEN}") as app:
        asker = app.test_client()
        assert asker.get("/api/v1/cameras").status_code == 200
        assert asker.get("/metrics").status_code == 401
        assert asker.get("/api/v1/discovery").status_code == 401
        assert asker.get("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}).status_code == 200


def test_probes_are_open_but_details_are_not(browser: FlaskClient, bus: FakeBus) -> None:
    assert browser.get("/healthz").status_code == 200
    assert browser.get("/readyz").json == {"ready": True, "missing": []}
    bus.held = {}
    answer = browser.get("/readyz")
    assert answer.status_code == 503
    assert "lobby" not in answer.text
    assert "lobby" in browser.get("/readyz", headers=BEARER).text


def test_right_password_opens_everything_until_logout(browser: FlaskClient) -> None:
    assert log_in(browser).status_code == 303
    page = browser.get("/", headers=HTML)
    assert page.status_code == 200
    assert "Log out" in page.text
    assert browser.get("/api/v1/cameras").status_code == 200
    assert browser.get("/metrics").status_code == 200
    kept = browser.get_cookie(cookie_name(browser))
    assert kept is not None
    form = {"csrf_token": csrf_of(browser)}
    assert browser.post("/logout", data=form, headers=PLAIN).status_code == 303
    assert browser.get("/api/v1/cameras").status_code == 401
    browser.set_cookie(kept.key, kept.value)
    assert browser.get("/api/v1/cameras").status_code == 401


def csrf_of(browser: FlaskClient) -> str:
    return csrf_token(browser.get("/", headers=HTML))


def cookie_name(browser: FlaskClient) -> str:
    app = browser.application
    with app.test_request_context():
        return app.session_interface.get_cookie_name(app)


def test_wrong_password_is_told_on_the_page(browser: FlaskClient) -> None:
    answer = log_in(browser, "wrong-password", "/events?a=b")
    assert answer.status_code == 403
    assert "not the password" in answer.text
    assert 'value="/events?a=b"' in answer.text
    assert PASSWORD not in answer.text
    assert browser.get("/api/v1/cameras").status_code == 401


def test_too_many_attempts_are_refused_even_with_the_right_password(app: Flask) -> None:
    guesser = app.test_client()
    statuses = [log_in(guesser, f"wrong-password-{n}").status_code for n in range(11)]
    assert statuses == [403] * 10 + [429]
    late = log_in(guesser)
    assert late.status_code == 429
    assert 0 < int(late.headers["Retry-After"]) <= 60
    assert "The next one is possible in" in late.text
    other = app.test_client()
    other.environ_base["REMOTE_ADDR"] = "10.0.0.9"
    assert log_in(other).status_code == 303


def test_too_many_wrong_tokens_are_refused_but_a_right_one_never_is(browser: FlaskClient) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    statuses = [browser.get("/api/v1/cameras", headers=wrong).status_code for _ in range(61)]
    assert statuses == [401] * 60 + [429]
    assert browser.get("/api/v1/cameras", headers=BEARER).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "",
     "\\\\evil.example", "/ /evil.example", "/%0a/evil" + "x" * 3000, "/login?next=/login", "/logout", "evil.example"],
)  # fmt: skip
def test_login_leads_to_no_other_site(browser: FlaskClient, wanted: str) -> None:
    assert log_in(browser, wanted=wanted).headers["Location"] == "/"


def test_login_page_is_passed_by_where_nobody_has_to_log_in() -> None:
    with site_with("") as app:
        answer = app.test_client().get("/login?next=/events", headers=HTML)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/events")
        assert app.test_client().get("/", headers=HTML).status_code == 200
        assert "Set-Cookie" not in app.test_client().get("/", headers=HTML).headers


def test_login_page_tells_when_there_is_no_password() -> None:
    with site_with(f"tokens: {{player: {TOKEN}}}") as app:
        page = app.test_client().get("/login")
        assert "no password" in page.text
        assert 'type="password"' not in page.text
        assert app.test_client().post("/login", data={"password": ""}).status_code == 403


def test_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: FlaskClient) -> None:
    cookie = log_in(browser).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert PASSWORD not in cookie


def test_cookie_is_sent_over_tls_alone_where_a_proxy_says_that_there_is_tls() -> None:
    with site_with(f"password: {PASSWORD}, proxies: 1") as app:
        browser = app.test_client()
        browser.environ_base["HTTP_X_FORWARDED_PROTO"] = "https"
        page = browser.get("/login")
        cookie = page.headers["Set-Cookie"]
        assert cookie.startswith("__Host-maskwatch-")
        assert "Secure" in cookie


def test_forwarded_address_counts_only_behind_a_configured_proxy() -> None:
    for proxies, expected in ((0, [403] * 10 + [429]), (1, [403] * 11)):
        with site_with(f"password: {PASSWORD}, proxies: {proxies}") as app:
            browser = app.test_client()
            statuses = []
            for n in range(11):
                browser.environ_base["HTTP_X_FORWARDED_FOR"] = f"10.1.{n}.1"
                statuses.append(log_in(browser, "wrong-password").status_code)
            assert statuses == expected


def test_session_ends_when_it_is_not_used(browser: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(browser)
    now = visitor._now()
    for hours in (100, 200, 300):
        monkeypatch.setattr(visitor, "_now", lambda hours=hours: now + hours * 3600)
        assert browser.get("/api/v1/cameras").status_code == 200
    monkeypatch.setattr(visitor, "_now", lambda: now + 469 * 3600)
    assert browser.get("/api/v1/cameras").status_code == 401


def test_session_of_another_password_is_over(bus: FakeBus) -> None:
    secret = "s" * 32
    with site_with(f"password: {PASSWORD}, session_secret: {secret}", bus) as app:
        browser = app.test_client()
        log_in(browser)
        kept = browser.get_cookie(cookie_name(browser))
        assert kept is not None
    for password, status in ((PASSWORD, 200), ("another-password", 401)):
        with site_with(f"password: {password}, session_secret: {secret}", bus) as app:
            later = app.test_client()
            later.set_cookie(kept.key, kept.value)
            assert later.get("/api/v1/cameras").status_code == status


def test_stream_ends_with_the_session(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_CHECK_EVERY_S", -1.0)  # after each part
    watcher, other = app.test_client(), app.test_client()
    log_in(watcher)
    kept = watcher.get_cookie(cookie_name(watcher))
    assert kept is not None
    other.set_cookie(kept.key, kept.value)
    answer = watcher.get("/cameras/lobby/stream.mjpg")
    chunks = answer.iter_encoded()
    next(chunks)
    next(chunks)
    other.post("/logout", data={"csrf_token": csrf_of(other)}, headers=PLAIN)
    assert list(chunks) == []
    answer.close()
    assert site_of(app).slots.open == 0


def test_stream_of_a_program_has_no_end(app: Flask) -> None:
    with closing(app.test_client().get("/cameras/lobby/stream.mjpg", headers=BEARER)) as answer:
        chunks = answer.iter_encoded()
        assert next(chunks).startswith(b"--")
        assert b"image/jpeg" in next(chunks)


def test_static_files_are_open_and_touch_no_session(browser: FlaskClient) -> None:
    with closing(browser.get("/static/site.css")) as answer:
        assert answer.status_code == 200
        assert "Cookie" not in answer.headers.get("Vary", "")


@pytest.mark.parametrize(
    ("web", "host", "status"),
    [
        (f"password: {PASSWORD}", "cams.example", 200),
        ("hosts: [cams.example]", "cams.example:8080", 200),
        ("hosts: cams.example", "CAMS.example", 200),
        ("hosts: [cams.example]", "localhost", 200),
        ("hosts: [cams.example]", "evil.example", 421),
        ("host: 0.0.0.0, insecure: true, hosts: [cams.example]", "evil.example", 421),
        (f"password: {PASSWORD}, hosts: [cams.example]", "evil.example", 421),
    ],
)
def test_names_that_the_site_answers_to(web: str, host: str, status: int) -> None:
    with site_with(web) as app:
        assert app.test_client().get("/login", headers={"Host": host}, follow_redirects=True).status_code == status


def test_probes_and_scrapers_may_call_a_site_by_its_address() -> None:
    with site_with(f"{GUARDED}, hosts: [cams.example]") as app:
        asker = app.test_client()
        for path in ("/healthz", "/readyz"):
            assert asker.get(path, headers={"Host": "10.1.2.3:8080"}).status_code == 200
        assert asker.get("/metrics", headers={"Host": "10.1.2.3:8080"} | BEARER).status_code == 200
        assert asker.get("/metrics", headers={"Host": "10.1.2.3:8080"}).status_code == 421

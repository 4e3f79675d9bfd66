"""Jobs on the site: uploads, the list, actions and results, with a real book and real files."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from werkzeug.test import TestResponse

from maskwatch.errors import BrokerDown
from maskwatch.jobs import JobBook, JobKind, JobState
from maskwatch.jobs.records import JobRecords
from tests.support import free_port
from tests.support_jobsite import CSV, JobSite, begin, done, job_site
from tests.unit.test_openapi import check
from web.jobs.desk import JobDesk

FILM = bytes(range(256)) * 1000
"""Below what Flask's client would put into a temporary file, which it forgets to close."""
OURS = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
RESULTS = {
    "annotated.mp4": ("video/mp4", FILM),
    "timeline.csv": ("text/csv", CSV),
    "report.html": ("text/html", b"<script>alert(1)</script>"),
}


@pytest.fixture
def site(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> Iterator[JobSite]:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "lobby.mp4").write_bytes(FILM)
    jobs = f"{{most_upload_mb: 1, folders: [{tmp_path / 'films'}]}}"
    with job_site(redis_url, tmp_path, redis_client, jobs) as site:
        yield site


def error_of(answer: TestResponse) -> str:
    assert isinstance(answer.json, dict)
    return str(answer.json["error"]["message"])


def desk_of(site: JobSite) -> JobDesk:
    found = site.app.extensions["maskwatch.jobs"]
    assert isinstance(found, JobDesk)
    return found


def test_body_is_kept_and_becomes_a_job_that_waits(site: JobSite) -> None:
    answer = site.client.post("/api/v1/jobs?name=C:\\door.MP4&every=3&profile=fast", data=FILM)
    assert answer.status_code == 201
    assert isinstance(answer.json, dict)
    job = answer.json
    assert (job["kind"], job["state"], job["title"], job["page"]) == (
        "video", "waiting", "door.MP4", f"/jobs/{job['id']}",
    )  # fmt: skip
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    (key,) = site.kept()
    assert re.fullmatch(r"upload-[0-9a-f]{32}\.mp4", key)
    assert site.files.get(key) == FILM
    assert job["spec"] == {
        "input": {"upload": key}, "name": "door.MP4", "every": 3, "profile": "fast", "detector": "maskwatch",
    }  # fmt: skip
    assert site.book.get(job["id"]) is not None


def test_answers_have_the_form_that_is_described(site: JobSite, redis_client: redis.Redis) -> None:
    job = done(site.book, redis_client, site.files, "door.mp4", RESULTS)
    described = site.client.get("/api/v1/openapi.json").json
    assert isinstance(described, dict)
    for path, template, status in (
        ("/api/v1/jobs", "/api/v1/jobs", 200),
        ("/api/v1/jobs?limit=0", "/api/v1/jobs", 400),
        (f"/api/v1/jobs/{job.id}", "/api/v1/jobs/{job_id}", 200),
        ("/api/v1/jobs/none", "/api/v1/jobs/{job_id}", 404),
    ):
        answer = site.client.get(path)
        assert answer.status_code == status
        schema = described["paths"][template]["get"]["responses"][str(status)]["content"]["application/json"]["schema"]
        check(answer.json, schema, described, path)


def test_form_of_a_program_may_have_its_fields_behind_the_file(site: JobSite) -> None:
    form = {"file": (io.BytesIO(FILM), "door.mp4"), "every": "4", "detector": "yunet"}
    answer = site.client.post("/api/v1/jobs", data=form, content_type="multipart/form-data")
    assert isinstance(answer.json, dict)
    assert (answer.status_code, answer.json["spec"]["every"]) == (201, 4)
    assert site.files.get(answer.json["spec"]["input"]["upload"]) == FILM


@pytest.mark.parametrize(
    ("query", "content", "status", "said"),
    [
        ("name=door.mp4", b"", 400, "the file is empty"),
        ("name=door.exe", FILM, 400, "name: expected that of a video or picture, which ends in .avi"),
        ("", FILM, 400, "name: missing"),
        ("name=door.mp4&every=0", FILM, 400, "every: expected a whole number from 1"),
        ("name=door.mp4&detectr=yunet", FILM, 400, "did you mean detector?"),
        ("name=door.mp4", bytes((1 << 20) + 1), 413, "too large: 1.0 MB, expected at most 1 MB"),
        ("name=door.mp4", bytes(3 << 20), 413, "too large: 3.0 MB, expected at most 1 MB"),
    ],
)
def test_wrong_upload_is_refused_with_what_to_do_and_leaves_nothing(
    site: JobSite, query: str, content: bytes, status: int, said: str
) -> None:
    answer = site.client.post(f"/api/v1/jobs?{query}", data=content)
    assert answer.status_code == status
    assert said in error_of(answer)
    assert site.kept() == []
    assert site.book.list() == []


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"file": (io.BytesIO(b""), "door.mp4")}, "is empty (0 bytes)"),
        ({"file": (io.BytesIO(b""), "")}, "no file was chosen"),
        ({"every": "2"}, "the form has no file"),
        ({"file": (io.BytesIO(b"x"), "door.txt")}, "name: expected"),
        ({"file": [(io.BytesIO(b"x"), "a.mp4"), (io.BytesIO(b"x"), "b.mp4")]}, "one at a time"),
        ({"file": (io.BytesIO(b"x"), "a.mp4"), "every": "no"}, "every: expected"),
        ({"file": (io.BytesIO(b"x"), "a.mp4"), "eve": "1"}, "did you mean every?"),
    ],
)
def test_wrong_form_is_refused_and_leaves_nothing(site: JobSite, form: dict[str, Any], said: str) -> None:
    answer = site.client.post("/api/v1/jobs", data=form, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert said in error_of(answer)
    assert site.kept() == []


def test_uploads_have_places_and_half_of_the_room(site: JobSite) -> None:
    gives = [desk_of(site).uploads.take() for _ in range(4)]
    answer = site.client.post("/api/v1/jobs?name=door.mp4", data=FILM)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    for give_back in gives:
        assert give_back is not None
        give_back()
    assert site.client.post("/api/v1/jobs?name=door.mp4", data=FILM).status_code == 201


def test_uploads_never_push_out_more_than_half_of_what_is_kept(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with job_site(redis_url, tmp_path, redis_client, blobs="{most_mb: 10}") as site:
        for number in range(5):
            site.files.put(f"upload-{number}.mp4", bytes(1 << 20))
        answer = site.client.post("/api/v1/jobs?name=door.mp4", data=FILM)
        assert answer.status_code == 507
        assert "uploads may take 5 MB together" in error_of(answer)


def test_upload_is_not_kept_when_no_job_comes_of_it(site: JobSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object, **_wishes: object) -> None:
        raise BrokerDown("Redis at localhost:6380 can't be reached")

    monkeypatch.setattr(JobBook, "submit", away)
    answer = site.client.post("/api/v1/jobs?name=door.mp4", data=FILM)
    assert answer.status_code == 503
    assert "Redis at localhost:6380" in error_of(answer)
    assert site.kept() == []


@pytest.mark.parametrize("path", ["lobby.mp4", "./", "{folder}/lobby.mp4"])
def test_what_is_below_an_allowed_folder_is_taken_by_name(site: JobSite, path: str) -> None:
    path = path.format(folder=site.folder / "films")
    answer = site.client.post("/api/v1/jobs", json={"path": path, "every": 2})
    assert answer.status_code == 201
    assert isinstance(answer.json, dict)
    assert answer.json["spec"]["input"] == {"path": path}


@pytest.mark.parametrize("path", ["../blobs", "/etc/passwd", "nothing.mp4", "", 5])
def test_what_is_elsewhere_or_missing_is_refused_alike(site: JobSite, path: object) -> None:
    answer = site.client.post("/api/v1/jobs", json={"path": path})
    assert answer.status_code == 400
    assert "path: " in error_of(answer)
    assert site.book.list() == []


@pytest.mark.parametrize(
    "body", [b"", b"nope", b"\xff\xfe", b'{"path":', b"[" * 60_000, b'{"every":' * 6000, b'{"every": ' + b"9" * 9000]
)
def test_what_is_no_json_is_refused_with_an_example(site: JobSite, body: bytes) -> None:
    answer = site.client.post("/api/v1/jobs", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert '{"path": "door.mp4"}' in error_of(answer)


def test_name_without_an_allowed_folder_is_refused(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> None:
    with job_site(redis_url, tmp_path, redis_client) as site:
        answer = site.client.post("/api/v1/jobs", json={"path": "lobby.mp4"})
        assert answer.status_code == 400
        assert "jobs.folders" in error_of(answer)
        assert "on the server" not in site.client.get("/jobs").text


def test_list_is_filtered_and_bounded(site: JobSite, redis_client: redis.Redis) -> None:
    begin(site.book, redis_client, "running.mp4", 0.5, 60)
    site.book.submit(JobKind.REPORT, {})
    site.book.submit(JobKind.NOTIFY, {})

    def titles(query: str) -> list[str]:
        answer = site.client.get(f"/api/v1/jobs?{query}")
        assert isinstance(answer.json, dict)
        return [item["title"] for item in answer.json["items"]]

    assert titles("") == ["notifications", "report", "running.mp4"]
    assert titles("kind=video") == ["running.mp4"]
    assert titles("state=waiting") == ["notifications", "report"]
    assert titles("limit=1") == ["notifications"]
    for query in ("state=gone", "kind=x", "limit=0", "limit=many", "page=2"):
        assert site.client.get(f"/api/v1/jobs?{query}").status_code == 400
    assert "notifications" not in site.client.get("/jobs").text


def test_job_is_cancelled_tried_again_and_deleted(site: JobSite) -> None:
    answer = site.client.post("/api/v1/jobs?name=door.mp4", data=FILM)
    assert isinstance(answer.json, dict)
    at = f"/api/v1/jobs/{answer.json['id']}"
    assert site.client.delete(at).status_code == 409
    assert site.client.post(f"{at}/retry").status_code == 409
    cancelled = site.client.post(f"{at}/cancel")
    assert (cancelled.status_code, cancelled.json["state"]) == (200, "cancelled")  # type: ignore[index]
    again = site.client.post(f"{at}/retry")
    assert (again.status_code, again.json["state"]) == (200, "waiting")  # type: ignore[index]
    site.client.post(f"{at}/cancel")
    assert site.client.delete(at).status_code == 204
    assert site.kept() == []
    for answer in (site.client.get(at), site.client.delete(at), site.client.post(f"{at}/cancel")):
        assert answer.status_code == 404
        assert "no job has the id" in error_of(answer)


def test_running_job_says_that_it_is_being_cancelled(site: JobSite, redis_client: redis.Redis) -> None:
    job_id = begin(site.book, redis_client, "door.mp4", 0.4)
    at = f"/api/v1/jobs/{job_id}"
    assert site.client.get(at).json["cancelling"] is False  # type: ignore[index]
    assert "Cancel</button>" in site.client.get(f"/jobs/{job_id}").text
    site.book.cancel(job_id)
    asked = site.client.get(at).json
    assert isinstance(asked, dict)
    assert (asked["state"], asked["cancelling"]) == ("running", True)
    for page in (f"/jobs/{job_id}", "/jobs"):
        text = site.client.get(page).text
        assert re.search(r'<span class="words">cancelling\s*</span>', text)
        assert '<progress max="100"' not in text
        assert "Cancel</button>" not in text
    JobRecords(redis_client).end(job_id, JobState.CANCELLED)
    assert site.client.get(at).json["cancelling"] is False  # type: ignore[index]


def test_result_comes_whole_and_in_parts(site: JobSite, redis_client: redis.Redis) -> None:
    job = done(site.book, redis_client, site.files, "door.mp4", RESULTS)
    url = f"/api/v1/jobs/{job.id}/results/annotated.mp4"
    whole = site.client.get(url, buffered=True)
    assert (whole.status_code, whole.mimetype, whole.data) == (200, "video/mp4", FILM)
    assert (whole.headers["Accept-Ranges"], whole.content_length) == ("bytes", len(FILM))
    for asked, begins, ends in (("0-99", 0, 100), ("1000-", 1000, len(FILM)), ("-50", len(FILM) - 50, len(FILM))):
        part = site.client.get(url, headers={"Range": f"bytes={asked}"}, buffered=True)
        assert (part.status_code, part.data) == (206, FILM[begins:ends])
        assert part.headers["Content-Range"] == f"bytes {begins}-{ends - 1}/{len(FILM)}"
        assert part.content_length == ends - begins
    beyond = site.client.get(url, headers={"Range": f"bytes={len(FILM)}-"}, buffered=True)
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(FILM)}")
    changed = site.client.get(url, headers={"Range": "bytes=0-99", "If-Range": '"another"'}, buffered=True)
    assert changed.status_code == 200
    same = site.client.get(url, headers={"Range": "bytes=0-99", "If-Range": whole.headers["ETag"]}, buffered=True)
    assert same.status_code == 206
    head = site.client.head(url, buffered=True)
    assert (head.status_code, head.data, head.content_length) == (200, b"", len(FILM))


def test_only_films_and_pictures_are_shown_in_place(site: JobSite, redis_client: redis.Redis) -> None:
    job = done(site.book, redis_client, site.files, "door <b>.mp4", RESULTS)

    def disposition(name: str) -> str:
        return str(
            site.client.get(f"/api/v1/jobs/{job.id}/results/{name}", buffered=True).headers["Content-Disposition"]
        )

    assert disposition("annotated.mp4") == "inline; filename=door-b-annotated.mp4"
    assert disposition("annotated.mp4?download") == "attachment; filename=door-b-annotated.mp4"
    assert disposition("report.html").startswith("attachment")
    assert disposition("timeline.csv").startswith("attachment")


def test_missing_results_say_why(site: JobSite, redis_client: redis.Redis) -> None:
    job = done(site.book, redis_client, site.files, "door.mp4", RESULTS)
    unknown = site.client.get(f"/api/v1/jobs/{job.id}/results/..%2f..%2frecord.db")
    assert unknown.status_code == 404
    none = site.client.get(f"/api/v1/jobs/{job.id}/results/other.mp4")
    assert (none.status_code, "there are: annotated.mp4, timeline.csv" in error_of(none)) == (404, True)
    site.files.delete(job.results[0].key)
    gone = site.client.get(f"/api/v1/jobs/{job.id}/results/annotated.mp4")
    assert (gone.status_code, "jobs.keep_days" in error_of(gone)) == (410, True)


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_form_of_a_browser_needs_the_token_before_its_file(site: JobSite) -> None:
    token = token_of(site.client.get("/jobs").text)

    def sent(**fields: Any) -> TestResponse:
        return site.client.post("/jobs/upload", data=fields, content_type="multipart/form-data", headers=OURS)

    part = '--b\r\nContent-Disposition: form-data; name="'
    late = f'{part}file"; filename="door.mp4"\r\n\r\nx\r\n{part}csrf_token"\r\n\r\n{token}\r\n--b--\r\n'
    for forged in (
        sent(file=(io.BytesIO(FILM), "door.mp4")),
        sent(csrf_token="made-up", file=(io.BytesIO(FILM), "door.mp4")),
        site.client.post("/jobs/upload", data=late, content_type="multipart/form-data; boundary=b", headers=OURS),
    ):
        assert forged.status_code == 400
        assert "forged" in forged.text
    assert (site.kept(), site.book.list()) == ([], [])
    taken = sent(csrf_token=token, every="2", profile="fast", detector="maskwatch", file=(io.BytesIO(FILM), "door.mp4"))
    assert taken.status_code == 303
    assert 'id="problem"' not in site.client.get(taken.headers["Location"]).text
    assert "door.mp4" in site.client.get(taken.headers["Location"]).text


def test_login_stands_before_uploads_and_results(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> None:
    token = "t" * 24
    web = f"{{password: long-enough-a-word, tokens: {{film-desk: {token}}}}}"
    with job_site(redis_url, tmp_path, redis_client, web=web) as site:
        job = done(site.book, redis_client, site.files, "door.mp4", RESULTS)
        before = site.kept()
        for answer in (
            site.client.post("/api/v1/jobs?name=door.mp4", data=FILM),
            site.client.post("/jobs/upload", data={"file": (io.BytesIO(FILM), "door.mp4")}),
            site.client.get(f"/api/v1/jobs/{job.id}/results/annotated.mp4"),
            site.client.delete(f"/api/v1/jobs/{job.id}"),
        ):
            assert answer.status_code == 401
        assert site.kept() == before
        let_in = {"Authorization": f"Bearer {token}"}
        assert site.client.post("/api/v1/jobs?name=door.mp4", data=FILM, headers=let_in).status_code == 201
        assert site.client.delete(f"/api/v1/jobs/{job.id}", headers=let_in).status_code == 204


def test_wrong_form_of_a_browser_shows_the_page_again_with_the_reason(site: JobSite) -> None:
    token = token_of(site.client.get("/jobs").text)
    form = {"csrf_token": token, "file": (io.BytesIO(b"x"), "door.exe")}
    answer = site.client.post("/jobs/upload", data=form, content_type="multipart/form-data", headers=OURS)
    assert answer.status_code == 400
    assert "name: expected that of a video or picture" in answer.text
    assert "<h1>Jobs</h1>" in answer.text
    named = site.client.post("/jobs/named", data={"csrf_token": token, "path": "/etc/passwd"}, headers=OURS)
    assert named.status_code == 400
    assert "no file or folder of this name" in named.text
    assert 'name="path" value="/etc/passwd"' in named.text
    for page in (answer, named):
        assert asks_anew(site, page) == "/jobs"


def test_pages_ask_anew_for_what_they_show(site: JobSite, redis_client: redis.Redis) -> None:
    job_id = begin(site.book, redis_client, "running.mp4")
    for path in ("/jobs", "/jobs?state=running&kind=video", f"/jobs/{job_id}"):
        assert asks_anew(site, site.client.get(path)) == path


def asks_anew(site: JobSite, page: TestResponse) -> str:
    """Return the address from which a page's script renews it, which has to have the same part in it."""
    found = re.search(r'data-from="([^"]+)"', page.text)
    assert found is not None
    address = html.unescape(found[1])
    assert "data-live" in site.client.get(address).text
    return address


def test_pages_of_jobs_name_the_time_zone_of_their_times(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with job_site(redis_url, tmp_path, redis_client, web="{timezone: Asia/Tokyo}") as site:
        job_id = begin(site.book, redis_client, "running.mp4")
        for path in ("/jobs", f"/jobs/{job_id}"):
            assert "Asia/Tokyo" in site.client.get(path).text


def test_named_form_begins_a_job(site: JobSite) -> None:
    token = token_of(site.client.get("/jobs").text)
    form = {"csrf_token": token, "path": "lobby.mp4", "every": "5", "profile": "accurate", "detector": "maskwatch"}
    answer = site.client.post("/jobs/named", data=form, headers=OURS)
    assert answer.status_code == 303
    (job,) = site.book.list()
    assert (answer.headers["Location"], job.spec["every"]) == (f"/jobs/{job.id}", 5)


def test_buttons_do_what_they_say_and_other_pages_can_not_press_them(site: JobSite) -> None:
    job = site.book.submit(JobKind.VIDEO, {"input": {"upload": "upload-1.mp4"}}, title="door.mp4")
    page = site.client.get(f"/jobs/{job.id}").text
    form = {"csrf_token": token_of(page)}
    elsewhere = site.client.post(f"/jobs/{job.id}/cancel", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code == 403
    assert site.client.post(f"/jobs/{job.id}/cancel", headers=OURS).status_code == 400
    assert site.client.post(f"/jobs/{job.id}/cancel", data=form, headers=OURS).status_code == 303
    assert "Try again" in site.client.get(f"/jobs/{job.id}").text
    assert site.client.post(f"/jobs/{job.id}/explode", data=form, headers=OURS).status_code == 404
    gone = site.client.post(f"/jobs/{job.id}/delete", data=form, headers=OURS)
    assert (gone.status_code, gone.headers["Location"]) == (303, "/jobs")
    assert site.book.get(job.id) is None


def test_pages_need_no_script_and_nothing_from_elsewhere(site: JobSite, redis_client: redis.Redis) -> None:
    running = begin(site.book, redis_client, "<script>alert(1)</script>.mp4", 0.42, 75)
    finished = done(site.book, redis_client, site.files, "door.mp4", RESULTS)
    pages = {path: site.client.get(path).text for path in ("/jobs", f"/jobs/{running}", f"/jobs/{finished.id}")}
    for page in pages.values():
        for banned in ("http://", "https://", "style=", "onclick", "javascript:", "<script>alert"):
            assert banned not in page
        assert page.count("<h1>") == 1
    assert "42&#8239;%" in pages["/jobs"]
    assert "about 75 s left" in pages[f"/jobs/{running}"]
    assert 'http-equiv="refresh"' in pages[f"/jobs/{running}"]
    shown = pages[f"/jobs/{finished.id}"]
    assert 'http-equiv="refresh"' not in shown
    assert f'src="/api/v1/jobs/{finished.id}/results/annotated.mp4"' in shown
    assert "Too few people to say" not in shown
    assert "84\u202f%" in shown


def test_reason_of_a_failed_job_is_told_on_both_pages(site: JobSite, redis_client: redis.Redis) -> None:
    job_id = begin(site.book, redis_client, "door.mp4")
    JobRecords(redis_client).end(job_id, JobState.FAILED, reason="door.mp4: no video in it; upload another file")
    for path in ("/jobs", "/jobs?state=failed", f"/jobs/{job_id}"):
        assert "no video in it; upload another file" in site.client.get(path).text
    assert "None of these" in site.client.get("/jobs?kind=report").text


def test_pages_say_that_redis_is_away(redis_client: redis.Redis, tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    with job_site(url, tmp_path, redis_client) as site:
        page = site.client.get("/jobs")
        assert page.status_code == 200
        assert "be reached while" in page.text
        assert "No jobs yet" not in page.text
        for path in ("/api/v1/jobs", "/api/v1/jobs/j1", "/jobs/j1"):
            assert site.client.get(path).status_code == 503


def test_unknown_job_is_a_page_of_its_own(site: JobSite) -> None:
    answer = site.client.get("/jobs/none", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "no job has the id" in answer.text
    assert site.client.get(f"/jobs/{'x' * 500}").status_code == 404

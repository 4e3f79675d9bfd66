"""Jobs in a browser: uploads, progress that moves by itself, and a film that plays; with scripts and without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser, expect

from maskwatch.blobs import BlobStore
from maskwatch.broker.connect import connect
from maskwatch.jobs import JobBook, JobKind, JobResult, JobState
from maskwatch.jobs.records import JobRecords
from tests.support import requires_debian
from tests.support_browser import WAIT_MS, page_of
from tests.support_jobs import face_film, jobs_environ, started_jobs
from tests.support_jobsite import CSV, PEOPLE, begin, done, h264_film
from tests.support_redis import redis_server
from tests.support_site import site_process

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Running:
    """A site that runs, and what is behind it."""

    url: str
    redis_url: str
    folder: Path
    client: redis.Redis
    book: JobBook
    files: BlobStore
    film: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    requires_debian("chromium")
    folder = tmp_path_factory.mktemp("state")
    h264_film(folder / "door.mp4")
    settings = {"MASKWATCH_STATE_DIR": str(folder), "MASKWATCH_JOBS__MOST_UPLOAD_MB": "20"}
    with redis_server() as url, site_process(url, folder / "web.log", settings) as (port, _process):
        files = BlobStore(folder / "blobs", 64 << 20)
        with connect(url) as client:
            yield Running(
                f"http://127.0.0.1:{port}", url, folder, client, JobBook(client, files), files, folder / "door.mp4"
            )


def finished(site: Running) -> str:
    results = {"annotated.mp4": ("video/mp4", site.film.read_bytes()), "timeline.csv": ("text/csv", CSV)}
    return done(site.book, site.client, site.files, "door.mp4", results).id


def file_of(path: Path, size: int) -> Path:
    """Make a file of so many zeros."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_film_plays_and_jumps_by_asking_for_parts(site: Running, browser: Browser) -> None:
    with page_of(browser) as page:
        statuses: list[int] = []
        page.on("response", lambda answer: statuses.append(answer.status) if "annotated.mp4" in answer.url else None)
        page.goto(f"{site.url}/jobs/{finished(site)}")
        page.wait_for_function("() => document.querySelector('video').readyState >= 1")
        assert page.evaluate(
            "(({videoWidth, videoHeight, duration}) => [videoWidth, videoHeight, Math.round(duration)])"
            "(document.querySelector('video'))"
        ) == [640, 360, 6]
        page.evaluate("(async () => { const v = document.querySelector('video'); v.muted = true; await v.play(); })()")
        page.wait_for_function("() => document.querySelector('video').currentTime > 0.4")
        page.evaluate("document.querySelector('video').currentTime = 5")
        page.wait_for_function(
            "() => (({currentTime, seeking}) => currentTime >= 5 && !seeking)(document.querySelector('video'))"
        )
        page.wait_for_function("() => document.querySelector('video').ended")
        assert page.evaluate("document.querySelector('video').error") is None
        assert set(statuses) == {206}


def test_uploaded_film_is_looked_at_and_plays(site: Running, browser: Browser, tmp_path: Path) -> None:
    film = face_film(tmp_path / "walk.mp4", 30)
    with started_jobs(jobs_environ(site.redis_url, site.folder), tmp_path), page_of(browser) as page:
        page.goto(f"{site.url}/jobs")
        page.set_input_files("input[name=file]", str(film))
        page.select_option("#upload select[name=profile]", "fast")
        page.click("#upload button[type=submit]")
        page.wait_for_url("**/jobs/*")
        expect(page.locator("video")).to_be_visible(timeout=3 * WAIT_MS)
        page.evaluate("(async () => { const v = document.querySelector('video'); v.muted = true; await v.play(); })()")
        page.wait_for_function("() => document.querySelector('video').ended")
        assert page.evaluate("document.querySelector('video').videoWidth") == 320
        expect(page.locator(".headline")).to_contain_text("1")
        for name in ("annotated.mp4", "timeline.csv", "people.csv", "result.json", "summary.html"):
            expect(page.locator(".files")).to_contain_text(name)


def test_results_are_saved_under_names_that_tell_them_apart(site: Running, browser: Browser) -> None:
    with page_of(browser) as page:
        page.goto(f"{site.url}/jobs/{finished(site)}")
        with page.expect_download() as saving:
            page.click("text=timeline.csv")
        assert saving.value.suggested_filename == "door-timeline.csv"
        assert Path(saving.value.path()).read_bytes() == CSV


def test_upload_shows_its_job_whose_progress_moves_without_reloading(site: Running, browser: Browser) -> None:
    with page_of(browser) as page:
        page.goto(f"{site.url}/jobs")
        page.set_input_files("input[name=file]", str(site.film))
        page.fill("#upload input[name=every]", "3")
        page.click("#upload button[type=submit]")
        page.wait_for_url("**/jobs/*")
        job_id = page.url.rpartition("/")[2]
        job = site.book.get(job_id)
        assert job is not None
        assert (job.kind, job.spec["every"], job.title) == (JobKind.VIDEO, 3, "door.mp4")
        assert site.files.get(job.spec["input"]["upload"]) == site.film.read_bytes()
        page.evaluate("window.stays = true")
        records = JobRecords(site.client)
        assert records.begin(job_id) is not None
        expect(page.locator(".badge .words")).to_contain_text("running")
        assert records.progress(job_id, 0.42, 75)
        expect(page.locator(".badge .words")).to_contain_text("42")
        expect(page.locator(".left")).to_contain_text("about 75 s left")
        site.files.put(f"job-{job_id}-a", site.film.read_bytes())
        result = JobResult("annotated.mp4", f"job-{job_id}-a", "video/mp4", site.film.stat().st_size)
        records.end(job_id, JobState.DONE, results=[result], summary={"people": PEOPLE})
        expect(page.locator("video")).to_be_visible(timeout=WAIT_MS)
        expect(page.locator(".headline")).to_contain_text("wore a mask properly")
        assert page.evaluate("window.stays") is True
        assert page.locator("[data-live]").get_attribute("data-every") == "0"


def test_list_moves_without_reloading(site: Running, browser: Browser) -> None:
    with page_of(browser) as page:
        job_id = begin(site.book, site.client, "walk.mp4", 0.1, 300)
        page.goto(f"{site.url}/jobs")
        row = page.locator(f"[data-job='{job_id}']")
        expect(row).to_contain_text("10")
        page.evaluate("window.stays = true")
        page.focus(f"[data-job='{job_id}'] a")
        assert JobRecords(site.client).progress(job_id, 0.77, 60)
        expect(row).to_contain_text("77")
        assert page.evaluate("document.activeElement.textContent") == "walk.mp4"
        JobRecords(site.client).end(job_id, JobState.FAILED, reason="walk.mp4: cut off; upload it again")
        expect(row).to_contain_text("cut off; upload it again")
        assert page.evaluate("window.stays") is True


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("empty.mp4", 0, "empty.mp4 is empty (0 bytes)"),
        ("notes.txt", 1, "neither a video nor a picture by its name"),
        ("long.mp4", 21 << 20, "long.mp4 is too large: 21 MB, expected at most 20 MB"),
    ],
)
def test_wrong_file_is_refused_before_it_is_sent(
    site: Running, browser: Browser, tmp_path: Path, name: str, size: int, said: str
) -> None:
    with page_of(browser) as page:
        page.goto(f"{site.url}/jobs")
        page.set_input_files("input[name=file]", str(file_of(tmp_path / name, size)))
        page.click("#upload button[type=submit]")
        expect(page.locator("#problem")).to_contain_text(said)


@pytest.mark.slow
def test_refusal_of_the_server_is_shown(site: Running, browser: Browser, tmp_path: Path) -> None:
    with page_of(browser, allowed="413") as page:
        page.goto(f"{site.url}/jobs")
        page.evaluate("document.getElementById('upload').dataset.most = 1e12")
        page.set_input_files("input[name=file]", str(file_of(tmp_path / "long.mp4", 40 << 20)))
        page.click("#upload button[type=submit]")
        expect(page.locator("#problem")).to_contain_text("the file is too large: 40.0 MB")
        assert page.locator("#upload button[type=submit]").is_enabled()


def test_everything_works_without_scripts(site: Running, browser: Browser) -> None:
    with page_of(browser, java_script_enabled=False) as page:
        page.goto(f"{site.url}/jobs")
        page.set_input_files("input[name=file]", str(site.film))
        page.select_option("#upload select[name=profile]", "fast")
        page.click("#upload button[type=submit]")
        page.wait_for_url("**/jobs/*")
        job_id = page.url.rpartition("/")[2]
        job = site.book.get(job_id)
        assert job is not None
        assert job.spec["profile"] == "fast"
        page.click("text=Cancel")
        expect(page.locator(".badge .words")).to_contain_text("cancelled")
        page.click("text=Try again")
        expect(page.locator(".badge .words")).to_contain_text("waiting")
        page.click("text=Cancel")
        page.click("summary")
        page.click("text=Delete for good")
        page.wait_for_url("**/jobs")
        assert site.book.get(job_id) is None


def test_page_without_scripts_asks_again_by_itself(site: Running, browser: Browser) -> None:
    job_id = begin(site.book, site.client, "slow.mp4", 0.2, 100)
    with page_of(browser, java_script_enabled=False) as page:
        page.goto(f"{site.url}/jobs/{job_id}")
        expect(page.locator(".badge .words")).to_contain_text("20")
        assert JobRecords(site.client).progress(job_id, 0.6, 50)
        expect(page.locator(".badge .words")).to_contain_text("60")
    JobRecords(site.client).end(job_id, JobState.CANCELLED)


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out_and_everything_has_a_name(site: Running, browser: Browser, width: int) -> None:
    paths = ["/jobs", f"/jobs/{finished(site)}"]
    with page_of(browser, width, color_scheme="light") as page:
        for path in paths:
            page.goto(f"{site.url}{path}")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
            for control in page.locator("input:not([type=hidden]), select").all():
                assert control.evaluate("(each) => each.labels.length") == 1
            assert page.locator("h1").count() == 1

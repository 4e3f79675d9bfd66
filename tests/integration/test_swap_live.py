"""Models change under a worker that works: nothing is lost, and what can't be used changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest
import redis

from maskwatch.broker.cameras import CameraBook
from maskwatch.broker.frames import FrameQueue
from maskwatch.broker.messages import Hold, Offer
from maskwatch.broker.processes import ProcessBook
from maskwatch.broker.viewer import Viewer
from maskwatch.media import encode_jpeg
from maskwatch.types import FrameResult, MaskLabel
from models.activate import activate
from models.manifest import EngineName, ModelKind
from models.registry import SHIPPED, Registry
from models.store import ModelStore
from tests.support import wait_for
from tests.support_models import edit_manifest, reseal
from tests.support_queue import count, counts, held
from tests.support_store import copy_shipped, entry_of, litert_file
from tests.support_worker import WorkerProcess, moving_face, require_shipped_models, started_worker

pytestmark = pytest.mark.timeout(600)


class Feed:
    """Offers frames of some cameras all the time, each after the one before was analysed, and keeps what was said."""

    def __init__(self, client: redis.Redis, holds: list[Hold]) -> None:
        self._client = client
        self._holds = holds
        self._queue = FrameQueue(client)  # keeps its connections, of which a client has so many
        self._pictures = [encode_jpeg(moving_face(number)) for number in range(8)]
        self.offered = 0
        self.results: dict[str, list[FrameResult]] = {hold.camera: [] for hold in holds}

    def once(self) -> None:
        """Offer a frame of each camera and wait until all are analysed."""
        CameraBook(self._client).renew(self._holds)
        # To and fro, so that the face never jumps: the same person is followed all the time.
        jpeg = self._pictures[abs(self.offered % 14 - 7)]
        for hold in self._holds:
            self._queue.offer(
                Offer(hold.camera, hold.epoch, f"test-{self.offered}", jpeg, (640, 360), 0.0, self.offered / 5)
            )
        self.offered += 1
        wait_for(self._all_analysed, 120, f"frame {self.offered} of every camera is analysed", every_s=0.005)
        for camera, shown in Viewer(self._client).fetch(list(self.results)).items():
            self.results[camera].append(shown.result)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Go on until something holds."""

        def is_so() -> bool:
            self.once()
            return condition()

        wait_for(is_so, 60, what, every_s=0.0)

    def names(self, camera: str) -> list[str]:
        """The classifiers that spoke, each once, in their order."""
        return [name for name, _ in itertools.groupby(result.model for result in self.results[camera])]

    def detectors(self, camera: str) -> list[str]:
        """The detectors that found faces, each once, in their order."""
        return [name for name, _ in itertools.groupby(result.detector for result in self.results[camera])]

    def _all_analysed(self) -> bool:
        return all(count(self._client, hold.camera).analysed >= self.offered for hold in self._holds)


class Site:
    """A worker that is fed, and the folder of models that it looks at."""

    def __init__(self, client: redis.Redis, worker: WorkerProcess, store: ModelStore, feed: Feed) -> None:
        self.client = client
        self.worker = worker
        self.store = store
        self.feed = feed

    def activate(self, name: str, kind: ModelKind) -> None:
        """Activate as a user does, while frames go on, and wait until every camera's results name it."""
        with ThreadPoolExecutor(1) as pool:
            done: Future[object] = pool.submit(activate, self.store, name, EngineName.LITERT)
            self.feed.until(done.done, "it is activated")
            done.result()
        label = Registry(self.store.folder).get(name).label
        self.feed.until(lambda: all(self.speaks(result, kind) == label for result in self.last()), f"{label} speaks")

    def last(self) -> list[FrameResult]:
        """The newest result of each camera."""
        return [results[-1] for results in self.feed.results.values()]

    @staticmethod
    def speaks(result: FrameResult, kind: ModelKind) -> str:
        """The model of a kind that a result names."""
        return result.model if kind is ModelKind.CLASSIFIER else result.detector

    def metrics(self) -> str:
        """What the worker itself shows to Prometheus."""
        (info,) = wait_for(lambda: ProcessBook(self.client).list("worker"), 60, "its registration")
        with urlopen(f"http://{info.address}/metrics", timeout=60) as answer:
            text: str = answer.read().decode()
        return text

    def refusals(self, kind: str = "classifier") -> int:
        """How many models the worker has refused."""
        begin = f'maskwatch_model_refused_total{{kind="{kind}"}}'
        (line,) = [one for one in self.metrics().splitlines() if one.startswith(begin)]
        return int(float(line.split()[-1]))


@pytest.fixture
def site(redis_client: redis.Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    require_shipped_models()
    folder = tmp_path / "models"
    monkeypatch.setenv("MASKWATCH_MODELS__DIR", str(folder))
    holds = held(redis_client, "lobby", "door", "yard")
    with started_worker(redis_url, tmp_path) as worker:
        yield Site(redis_client, worker, ModelStore(folder), Feed(redis_client, holds))


def test_worker_changes_models_between_batches_and_loses_no_frame(site: Site) -> None:
    """One worker for everything: each start costs a second."""
    folder = site.store.folder
    assert folder is not None
    mask, face = (Registry().get(SHIPPED[kind]).label for kind in (ModelKind.CLASSIFIER, ModelKind.DETECTOR))
    site.feed.until(lambda: site.feed.offered >= 5, "the shipped models speak")
    copy_shipped(ModelKind.CLASSIFIER, folder, "door-mask")
    copy_shipped(ModelKind.DETECTOR, folder, "door-face")

    site.activate("door-mask", ModelKind.CLASSIFIER)
    site.activate("door-face", ModelKind.DETECTOR)
    text = site.metrics()
    assert 'maskwatch_model_info{engine="litert",kind="classifier",name="door-mask",version="2.0.0"} 1.0' in text
    assert 'maskwatch_model_info{engine="litert",kind="detector",name="door-face",version="2.0.0"} 1.0' in text
    assert text.count("maskwatch_model_info{") == 2
    wait_for(
        lambda: ProcessBook(site.client).list("worker")[0].models == ("door-mask 2.0.0", "door-face 2.0.0"),
        60, "the book names the models",
    )  # fmt: skip

    _refuse_what_can_not_be_used(site, folder)

    site.store.activate_shipped()
    site.feed.until(
        lambda: all((one.model, one.detector) == (mask, face) for one in site.last()),
        "the shipped ones again",
    )
    for camera in site.feed.results:
        assert site.feed.names(camera) == [mask, "door-mask 2.0.0", mask]
        assert site.feed.detectors(camera) == [face, "door-face 2.0.0", face]
        (person,) = site.feed.results[camera][-1].people
        assert person.track_id == 1, "the person is followed through all changes"
        assert person.label is MaskLabel.WITHOUT_MASK
    assert site.worker.stop() == 0
    for camera, one in counts(site.client).cameras.items():
        assert (one.captured, one.analysed) == (site.feed.offered, site.feed.offered), camera
        assert not any(one.dropped.values()), one.dropped


def _refuse_what_can_not_be_used(site: Site, folder: Path) -> None:
    """Activate broken models without the checks of `activate`: each is refused once, and the old one goes on."""
    broken = {
        "flipped": "expected sha256",
        "foreign": "LiteRT can't use it",
        "larger": "LiteRT can't use it",
        "swapped": "expected labels with_mask, without_mask, incorrect_mask",
    }
    for number, (name, says) in enumerate(broken.items(), start=1):
        model = copy_shipped(ModelKind.CLASSIFIER, folder, name)
        _break(model, name)
        entry = entry_of(model)
        site.store.activate(entry)
        site.feed.until(lambda number=number: site.refusals() == number, f"{name} is refused")  # type: ignore[misc]
        refused = [line for line in site.worker.log.splitlines() if "model.refused" in line]
        assert len(refused) == number, "each is told once"
        assert says in refused[-1]
        assert {one.model for one in site.last()} == {"door-mask 2.0.0"}
    assert site.refusals("detector") == 0


def _break(model: Path, how: str) -> None:
    file = litert_file(model)
    content = file.read_bytes()
    if how == "flipped":
        file.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    elif how == "foreign":
        file.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5000))
        reseal(model)
    elif how == "larger":
        edit_manifest(model, lambda manifest: manifest.update(input={"sizes_wh": [[96, 96]], "colour": "rgb"}))
    elif how == "swapped":
        labels = ["without_mask", "with_mask", "incorrect_mask"]
        edit_manifest(model, lambda manifest: manifest.update(labels=labels))

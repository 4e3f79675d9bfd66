"""Where a camera's faces are blurred, no viewer sees one: not in the picture, not behind a card, not while unsure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from flask.testing import FlaskClient

from maskwatch.broker.messages import CameraInfo, CameraView, Shown
from maskwatch.media import decode_jpeg
from maskwatch.settings import parse_settings
from maskwatch.types import CameraState, FrameResult, FrameStatus, Person, StreamFaces, Verdict
from tests.support_bus import FakeBus, camera_view, jpeg_of
from tests.unit.test_snapshots import chequered, detail
from web.app import create_app
from web.painter import paint_card, paint_frame
from web.sight import Sight, no_broker, sight_of
from web.site import site_of

SEEN = Person(1, (0.1, 0.3, 0.2, 0.6), 0.9, None, (), Verdict.WITHOUT_MASK)
PREDICTED = Person(2, (0.5, 0.3, 0.6, 0.6), 0.9, None, (), Verdict.WITHOUT_MASK, seen=False)
SUSPECTED = (500 / 640, 20 / 360, 540 / 640, 60 / 360)
FACES = ((96, 162), (352, 162), (520, 40))
"""Middles of the three, in pixels."""
ELSEWHERE = (300, 320)
RESULT = FrameResult(FrameStatus.OK, (640, 360), (SEEN, PREDICTED), faces=(SEEN.box_unit, SUSPECTED))
PRIVATE = camera_view(info=CameraInfo("lobby", stream=StreamFaces.BLURRED))
OPEN = camera_view(info=CameraInfo("lobby"))


def shown(result: FrameResult) -> Shown:
    return Shown("lobby", "l-1", jpeg_of(chequered()), (640, 360), result, 0.1)


def details(jpeg: bytes) -> tuple[list[float], float]:
    """Return how much detail there is where faces are, and elsewhere."""
    picture = decode_jpeg(jpeg)
    return [detail(picture, *place) for place in FACES], detail(picture, *ELSEWHERE)


def test_every_face_is_blurred_those_predicted_and_those_suspected_too() -> None:
    faces, elsewhere = details(paint_frame(shown(RESULT), [0], sight_of(PRIVATE))[0])
    assert max(faces) < 8
    assert elsewhere > 40


def test_faces_are_seen_where_they_may_be() -> None:
    faces, elsewhere = details(paint_frame(shown(replace(RESULT, faces=None)), [0], sight_of(OPEN))[0])
    assert min(faces) > 40
    assert elsewhere > 40


def test_smaller_pictures_are_made_of_the_blurred_one() -> None:
    painted = paint_frame(shown(RESULT), [320], sight_of(PRIVATE))[320]
    picture = decode_jpeg(painted)
    assert picture.shape == (180, 320, 3)
    assert np.ptp(picture[76:86, 44:52].astype(int)) < 40


@pytest.mark.parametrize(
    ("result", "view"),
    [
        (replace(RESULT, faces=None), PRIVATE),  # analysed before faces were to be blurred
        (FrameResult(FrameStatus.DECODE_ERROR, faces=()), PRIVATE),  # its detector couldn't be loaded
        (FrameResult(FrameStatus.DECODE_ERROR, faces=()), OPEN),
    ],
)
def test_picture_in_which_nobody_looked_for_faces_is_blurred_as_a_whole(result: FrameResult, view: CameraView) -> None:
    faces, elsewhere = details(paint_frame(shown(result), [0], sight_of(view))[0])
    assert max(faces) < 8
    assert elsewhere < 8


def test_change_back_shows_faces_from_the_next_analysed_picture_on() -> None:
    faces, _ = details(paint_frame(shown(RESULT), [0], sight_of(OPEN))[0])
    assert max(faces) < 8


@pytest.mark.parametrize("sight", [no_broker("away"), sight_of(replace(PRIVATE, state=CameraState.OFFLINE))])
def test_card_has_no_face_behind_it(sight: Sight) -> None:
    def behind(result: FrameResult) -> list[float]:
        picture = decode_jpeg(paint_card(sight, shown(result), [0])[0])
        return [detail(picture, x, min(y, 125)) for x, y in FACES]  # above the words

    assert max(behind(RESULT)) < 3
    assert min(behind(replace(RESULT, faces=None))) > 5 or sight.hides_faces


@pytest.fixture
def bus() -> FakeBus:
    bus = FakeBus([PRIVATE])
    bus.show("lobby", "l-1", chequered(), RESULT)
    return bus


@pytest.fixture
def browser(bus: FakeBus) -> Iterator[FlaskClient]:
    app = create_app(parse_settings("", {}), bus)
    yield app.test_client()
    site_of(app).hub.close()


def test_snapshot_and_stream_show_no_face(browser: FlaskClient) -> None:
    snapshot = browser.get("/cameras/lobby/snapshot.jpg").data
    with browser.get("/cameras/lobby/stream.mjpg") as answer:
        parts = b""
        for chunk in answer.iter_encoded():
            parts += chunk
            if parts.count(b"\xff\xd9") >= 1:
                break
    streamed = parts[parts.index(b"\xff\xd8") : parts.rindex(b"\xff\xd9") + 2]
    for jpeg in (snapshot, streamed):
        faces, elsewhere = details(jpeg)
        assert max(faces) < 8
        assert elsewhere > 40

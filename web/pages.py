"""What people open in a browser, and the picture addresses of each camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from flask import Blueprint, Response, render_template
from werkzeug.exceptions import ServiceUnavailable

from maskwatch.errors import QueueError, SourceError
from web.login.gate import client_address, while_let_in
from web.painter import paint_card, paint_frame
from web.sight import Sight, no_broker, sight_of
from web.site import asked_width, find_camera, site
from web.streams import MJPEG_TYPE, mjpeg_parts
from web.watcher import Watcher

__all__ = ["pages", "streaming"]

pages = Blueprint("pages", __name__)

_RETRY_AFTER_S = 5


@pages.get("/")
def wall() -> str:
    """Show all cameras; the page fills itself from the wall's stream."""
    return render_template("wall.html", here="/")


@pages.get("/cameras/<name>")
def camera(name: str) -> str:
    """Show one camera; while Redis is away the page is there all the same, and says so once it runs."""
    with suppress(QueueError):
        find_camera(name)
    return render_template("camera.html", name=name, zone=site().zone.key)


@pages.get("/cameras/<name>/stream.mjpg")
def stream(name: str) -> Response:
    """Stream annotated pictures to any client that reads multipart MJPEG."""
    width = asked_width()
    find_camera(name)
    watcher = site().hub.watch([name], width)
    return streaming(mjpeg_parts(site().hub, watcher), MJPEG_TYPE, watcher)


@pages.get("/cameras/<name>/snapshot.jpg")
def snapshot(name: str) -> Response:
    """Return the newest annotated picture, or 503 with a card that says why there is none that is live."""
    width = asked_width()
    shown = None
    try:
        sight = sight_of(find_camera(name))
        shown = site().bus.fetch([name]).get(name)
    except QueueError as error:
        sight = no_broker(str(error))
    if sight.is_picture and shown is None:
        sight = Sight(sight.state, "no frame has been analysed yet", False, "waiting for a picture")
    if sight.is_picture and shown is not None:
        try:
            answer = Response(paint_frame(shown, [width], sight)[width], mimetype="image/jpeg")
        except SourceError:
            sight, shown = Sight(sight.state, "the picture can't be decoded", False, "no picture"), None
        else:
            answer.headers["X-Maskwatch-Frame-Age"] = f"{shown.age_s:.2f}"
            answer.headers["X-Maskwatch-State"] = sight.state.value
            return answer
    answer = Response(paint_card(sight, shown, [width])[width], 503, mimetype="image/jpeg")
    answer.headers["Retry-After"] = str(_RETRY_AFTER_S)
    answer.headers["X-Maskwatch-State"] = sight.state.value
    return answer


def _take_place(watcher: Watcher) -> Callable[[], None]:
    """Take a place for a watcher's stream and return what gives it back.

    Raises:
        ServiceUnavailable: if there is none; the watcher is closed then.
    """
    give_back = site().slots.take(client_address(), watcher.close)
    if give_back is None:
        watcher.close()
        most = site().slots.most
        raise ServiceUnavailable(
            f"{most} streams are open, which is all that web.max_streams allows; close one, or raise it",
            retry_after=_RETRY_AFTER_S,
        )
    return give_back


def streaming(chunks: Iterator[bytes], mimetype: str, watcher: Watcher) -> Response:
    """Answer with a stream that gives up its watcher and its place however it ends, also before its first byte.

    It ends by itself when its visitor's session does, and when another visitor, who has fewer, needs its place.

    Raises:
        ServiceUnavailable: if there is no place for it.
    """
    give_back = _take_place(watcher)
    answer = Response(while_let_in(chunks), mimetype=mimetype)
    answer.call_on_close(watcher.close)
    answer.call_on_close(give_back)
    # Proxies such as nginx would gather the stream before passing it on.
    answer.headers["X-Accel-Buffering"] = "no"
    return answer

"""What the routes share: the parts of one running site, found through the Flask application."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from flask import Flask, current_app, request
from werkzeug.exceptions import BadRequest, NotFound

from maskwatch.broker.messages import CameraView
from maskwatch.metrics import ProcessMetrics
from maskwatch.settings import Settings
from web.bus import Bus
from web.hub import Hub
from web.painter import WIDTHS
from web.records import Records
from web.streams import StreamSlots

__all__ = ["Site", "asked_width", "find_camera", "site", "site_of"]

_KEY = "maskwatch"


@dataclass(frozen=True, slots=True)
class Site:
    """The parts of one site.

    Attributes:
        settings: of the whole installation.
        bus: where everything is read from.
        hub: where streams come from.
        slots: places for streams.
        metrics: of this process.
        records: where events and counted people are read from.
        zone: in which days and hours are told unless somebody asks otherwise.
        started_at: monotonic seconds.
    """

    settings: Settings
    bus: Bus
    hub: Hub
    slots: StreamSlots
    metrics: ProcessMetrics
    records: Records
    zone: ZoneInfo
    started_at: float = field(default_factory=time.monotonic)

    def install(self, app: Flask) -> None:
        """Make the routes of an application find this site."""
        app.extensions[_KEY] = self


def site_of(app: Flask) -> Site:
    """Return the site behind an application."""
    found = app.extensions[_KEY]
    assert isinstance(found, Site)
    return found


def site() -> Site:
    """Return the site that answers the current request."""
    return site_of(current_app)


def find_camera(name: str) -> CameraView:
    """Return what is known of a camera.

    Raises:
        NotFound: if none of that name is registered.
        BrokerDown: if Redis can't be reached.
        QueueError: if Redis answers with an error.
    """
    for view in site().bus.overview():
        if view.info.name == name:
            return view
    raise NotFound(f"no camera is named {name!r}; /api/v1/cameras lists those there are")


def asked_width() -> int:
    """Return the width that the request's query asks for; 0, as analysed, when it doesn't ask.

    Raises:
        BadRequest: if it is none of the widths there are.
    """
    text = request.args.get("width")
    if text is None:
        return 0
    if text not in {str(width) for width in WIDTHS}:
        known = ", ".join(str(width) for width in WIDTHS)
        raise BadRequest(f"width: expected one of {known}, received {text[:40]!r}; leave it out for the analysed width")
    return int(text)

"""The site as a Flask application."""

from __future__ import annotations

from flask import Flask

from maskwatch.metrics import ProcessMetrics
from maskwatch.settings import Settings
from maskwatch.store import Store
from web.answers.api import answers_api
from web.answers.kept import kept_records
from web.answers.look import install_words
from web.answers.pages import answers
from web.answers.span import site_zone
from web.api import api, operations
from web.bodies import install_bounds
from web.bus import Bus
from web.exposition import SiteCollector
from web.guard import install_guard
from web.hub import Hub, HubTimes
from web.jobs.api import jobs_api
from web.jobs.desk import JobDesk
from web.jobs.pages import jobs_pages
from web.login.gate import install_gate
from web.login.pages import login_pages
from web.login.visitor import Login
from web.notified import NotificationCollector
from web.pages import pages
from web.records import Records
from web.site import Site
from web.streams import StreamSlots

__all__ = ["create_app"]


def create_app(settings: Settings, bus: Bus, records: Records | None = None, login: Login | None = None) -> Flask:
    """Build the site.

    Args:
        settings: of the installation; of cameras only their number is used, the rest comes from the bus.
        bus: where everything that is shown live is read from.
        records: where events and counted people are read from; None opens those that the settings name, when they are
            first asked for.
        login: whom it lets in; None is what the settings say, with sessions that end with this process.

    Returns:
        A WSGI application. Its hub's thread runs already but sleeps until somebody watches; `web.site.site_of(app)`
        gives the parts, and `site_of(app).hub.close()` ends all streams.
    """
    app = Flask("web")
    metrics = ProcessMetrics("web")
    hub = Hub(bus, HubTimes(frame_s=1 / settings.web.max_stream_fps), observe=metrics.observe)
    slots = StreamSlots(settings.web.max_streams)
    metrics.registry.register(SiteCollector(bus, slots, hub))
    if settings.notify.receivers:
        metrics.registry.register(NotificationCollector(Store(settings.record_url).outbox, settings.notify.receivers))
    zone = site_zone(settings.web.timezone)
    Site(settings, bus, hub, slots, metrics, records or kept_records(settings), zone).install(app)
    JobDesk(settings).install(app)
    install_guard(app, settings.web)
    install_bounds(app)
    install_gate(app, settings.web, login or Login.alone(settings))
    install_words(app.jinja_env)
    for blueprint in (pages, answers, api, answers_api, operations, login_pages, jobs_pages, jobs_api):
        app.register_blueprint(blueprint)
    hub.start()
    return app

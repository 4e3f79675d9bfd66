"""The API of the record: compliance, events and their pictures, as JSON or CSV."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from flask import Blueprint, Response, jsonify, request, url_for
from werkzeug.exceptions import Gone, NotFound

from maskwatch.errors import WireError
from maskwatch.events import Event
from maskwatch.store import By, ComplianceRow, EventPage
from web.answers.asked import Args, EventsAsked, ask_compliance, ask_events
from web.answers.rows import compliance_csv, compliance_row, event_row, events_csv, span_row
from web.asked import AskedWrong, shown_received
from web.records import Counted
from web.site import site

__all__ = [
    "MOST_GROUPS",
    "NOBODY",
    "answers_api",
    "args_of_request",
    "find_compliance",
    "find_events",
    "now",
    "snapshot_url",
]

answers_api = Blueprint("answers_api", __name__, url_prefix="/api/v1")

MOST_GROUPS = 20_000
"""Rows of one answer; some megabytes."""

_MOST_AT_ONCE = 1000
"""Events that the record gives in one page."""

NOBODY = ComplianceRow(0, 0, 0, 0)


@answers_api.get("/compliance")
def compliance() -> Response:
    """Tell how many wore a mask properly, out of how many."""
    asked = ask_compliance(args_of_request(), site().zone, now())
    rows = find_compliance(asked.counted, asked.by)
    if asked.form == "csv":
        return _as_csv(compliance_csv(rows, asked.by), f"compliance-{asked.span.first_day}-{asked.span.last_day}.csv")
    return jsonify(
        **span_row(asked.span),
        by=list(asked.by),
        total=compliance_row(find_compliance(asked.counted, ())[0], ()),
        items=[compliance_row(row, asked.by) for row in rows],
    )


@answers_api.get("/events")
def events() -> Response:
    """List events, newest first."""
    asked = ask_events(args_of_request(), site().zone, now())
    page = find_events(asked)
    rows = [event_row(event, asked.span.zone, snapshot_url(event)) for event in page.rows]
    if asked.form == "csv":
        answer = _as_csv(events_csv(rows), f"events-{asked.span.first_day}-{asked.span.last_day}.csv")
        if page.next is not None:
            answer.headers["X-Maskwatch-Next"] = page.next
        return answer
    return jsonify(**span_row(asked.span), items=rows, next=page.next)


@answers_api.get("/events/<event_id>")
def event(event_id: str) -> Response:
    """Tell all of one event."""
    found = _find_event(event_id)
    return jsonify(event_row(found, site().zone, snapshot_url(found)))


@answers_api.get("/events/<event_id>/snapshot.jpg")
def event_snapshot(event_id: str) -> Response:
    """Return the picture kept with an event."""
    found = _find_event(event_id)
    if found.snapshot is None:
        raise NotFound(
            f"event {found.id} has no picture: the camera's `privacy: {{snapshots: ...}}` allows none, or none was"
        )
    jpeg = site().records.picture(found.snapshot)
    if jpeg is None:
        raise Gone(
            f"the picture of event {found.id} isn't kept any longer; see `store.snapshots_days` and `blobs.most_mb`"
        )
    return Response(jpeg, mimetype="image/jpeg")


def find_compliance(asked: Counted, by: tuple[By, ...]) -> list[ComplianceRow]:
    """Ask the record for compliance.

    Args:
        asked: which people.
        by: what the answer is divided by; empty for one row, which is there even when nobody was seen.

    Raises:
        AskedWrong: if the answer would have more than `MOST_GROUPS` rows.
        StoreError: if the record can't be read.
    """
    rows = site().records.compliance(asked, by)
    if len(rows) > MOST_GROUPS:
        raise AskedWrong(
            f"by: expected an answer of at most {MOST_GROUPS} rows, received {len(rows)} for {','.join(by)}; ask by "
            "fewer of them, or for fewer cameras or days"
        )
    return rows if rows or by else [NOBODY]


def find_events(asked: EventsAsked) -> EventPage:
    """Ask the record for a page of events.

    Raises:
        AskedWrong: if `after` isn't where a page ended.
        StoreError: if the record can't be read.
    """
    rows: list[Event] = []
    after = asked.after
    while True:
        wanted = min(asked.limit - len(rows), _MOST_AT_ONCE)
        try:
            page = site().records.events(asked.filter, after, wanted)
        except WireError:
            raise AskedWrong(
                f"after: expected `next` of an earlier answer, received {shown_received(asked.after or '')}; leave it "
                "out for the newest"
            ) from None
        rows += page.rows
        after = page.next
        if after is None or len(rows) >= asked.limit:
            return EventPage(tuple(rows), after)


def args_of_request() -> Args:
    """Return the query of this request, each key with all its values."""
    return {key: request.args.getlist(key) for key in request.args}


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def snapshot_url(event: Event) -> str | None:
    """Return where an event's picture is, or None when it has none."""
    return None if event.snapshot is None else url_for("answers_api.event_snapshot", event_id=str(event.id))


def _find_event(text: str) -> Event:
    try:
        found = site().records.event(UUID(text))
    except ValueError:
        found = None
    if found is None:
        raise NotFound(f"no event has the id {shown_received(text)}; /api/v1/events lists those there are")
    return found


def _as_csv(text: str, name: str) -> Response:
    answer = Response(text, mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer

"""Events in words and in fields, the same wherever they are told."""

from __future__ import annotations

import json
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from maskwatch.event_words import event_fields, event_words
from maskwatch.types import LABELS, EventKind, Verdict
from tests.support_records import an_event
from web.answers.rows import event_row
from web.answers.words import event_title
from workers.notify.message import message_of

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("verdict", [None, *Verdict])
@pytest.mark.parametrize("kind", EventKind)
def test_site_and_notifications_begin_with_the_same_words(kind: EventKind, verdict: Verdict | None) -> None:
    event = an_event(1, kind=kind, verdict=verdict, people=9)
    words = event_words(event)
    assert event_title(event).lower().startswith(words)
    assert message_of(event, UTC, None).title.startswith(f"lobby: {words}")


def test_site_and_notifications_have_the_same_fields_but_for_the_picture() -> None:
    event = an_event(1, verdict=Verdict.WITH_MASK, looks=4, scores=(0.91234567, 0.05, 0.03765433), duration_s=3.00049)
    fields = event_fields(event, BERLIN)
    assert event_row(event, BERLIN, "/picture") == {**fields, "snapshot": "/picture"}
    assert fields.items() <= message_of(event, BERLIN, None).fields.items()
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields
    assert fields["scores"][LABELS[0].value] == 0.9123
    assert (fields["time"], fields["duration_s"]) == ("2026-03-28T13:00:00+01:00", 3.0)


def test_what_an_event_has_not_is_null() -> None:
    fields = event_fields(an_event(1, track_id=None), BERLIN)
    assert [fields[key] for key in ("scores", "verdict", "duration_s", "people", "track_id")] == [None] * 5

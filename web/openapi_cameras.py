"""The part of the OpenAPI document that is about a camera's zones, rules and privacy."""

from __future__ import annotations

from maskwatch.types import MaskLabel, Severity, Snapshots, StreamFaces
from maskwatch.zones import DAYS, MOST_LOOKS
from web.openapi_parts import TEXT, Json, list_of, object_of, ref

__all__ = ["properties", "schemas"]

_SECONDS = {"type": "number", "minimum": 0}
_LOOKS = {"type": "integer", "minimum": 1, "maximum": MOST_LOOKS}
_UNIT = {"type": "number", "minimum": 0, "maximum": 1}


def properties() -> Json:
    """Return the fields of a camera that say what is watched for in it, and what is shown and kept of it."""
    return {
        "zones": list_of("Zone"),
        "rules": {
            "type": "array",
            "items": ref("Rule"),
            "description": "those that zones have by require_mask included",
        },
        "privacy": object_of(
            {
                "snapshots": {"type": "string", "enum": list(Snapshots), "description": "kept pictures of violations"},
                "stream": {
                    "type": "string",
                    "enum": list(StreamFaces),
                    "description": "live pictures; blurred: every face that was found",
                },
            }
        ),
    }


def schemas() -> Json:
    """Return what the fields refer to."""
    corner = {"type": "array", "items": _UNIT, "minItems": 2, "maxItems": 2}
    return {
        "Zone": object_of(
            {
                "name": TEXT,
                "polygon": {"type": "array", "items": corner, "description": "x and y in 0..1 from the upper left"},
                "ignore": {"type": "boolean", "description": "painted black before anybody sees it"},
            }
        ),
        "Rule": object_of(
            {
                "name": TEXT,
                "zone": {"type": ["string", "null"], "description": "null: the whole picture"},
                "require": {"type": ["string", "null"], "enum": [MaskLabel.WITH_MASK.value, None]},
                "crowd": {"type": ["integer", "null"], "description": "more people at once than this are reported"},
                "schedule": {"oneOf": [ref("Schedule"), {"type": "null"}]},
                "evidence": {
                    **object_of({"of": _LOOKS, "at_least": _LOOKS}),
                    "description": "newest looks at a person, and how many of them have to be against the rule",
                },
                "grace_s": {**_SECONDS, "description": "for which it has to last before it is reported"},
                "cooldown_s": {**_SECONDS, "description": "before the same is reported again of the same person"},
                "severity": {"type": "string", "enum": list(Severity)},
            }
        ),
        "Schedule": {
            **object_of(
                {
                    "days": {"type": "array", "items": {"type": "string", "enum": list(DAYS)}},
                    "from": {**TEXT, "pattern": r"^\d\d:\d\d$"},
                    "to": {**TEXT, "pattern": r"^\d\d:\d\d$"},
                    "timezone": {**TEXT, "description": "name in the IANA database"},
                }
            ),
            "description": "when a rule holds, by the clocks on the walls of a time zone; `to` at or before `from` is "
            "on the next day",
        },
    }

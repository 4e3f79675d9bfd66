"""What a viewer is to see of a camera: its picture, or a card that says why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from maskwatch.broker.messages import CameraView
from maskwatch.shedding import Shedding
from maskwatch.types import CameraState, MaskLabel, StreamFaces
from maskwatch.zones import DAYS, Rule, Zone

__all__ = [
    "STALLED_AFTER_S",
    "Sight",
    "describe",
    "describe_settings",
    "describe_shedding",
    "no_answer",
    "no_broker",
    "not_configured",
    "sight_of",
    "unheard_of",
]

STALLED_AFTER_S = 2.6
"""A lost camera has to show within 3 s of its last packet, and the overview is read every quarter of a second."""

_OVERDUE_S = 10.0
"""A still camera sends a frame every few seconds; older than this, nobody analyses it."""

_LEAST_FPS_FACTOR = Shedding(Shedding.MOST).fps_factor
"""Slow cameras are slower still while the workers can't keep up."""

_TITLES = {
    CameraState.CONNECTING: "connecting",
    CameraState.LIVE: "live",
    CameraState.STALLED: "stalled",
    CameraState.OFFLINE: "offline",
    CameraState.AUTH_FAILED: "wrong password",
    CameraState.UNSUPPORTED: "unsupported",
    CameraState.FAILED: "failed",
    CameraState.ENDED: "ended",
    CameraState.DISABLED: "disabled",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """How a camera is shown.

    Attributes:
        state: what it is doing.
        reason: why, for a person; empty when there is nothing to say.
        is_picture: True when its newest picture may be shown as live; False when a card must stand in for it.
        title: of the card, and of the badge.
        zones: to be drawn onto the picture.
        hides_faces: whether faces are to be blurred, in the picture and in what is left of it behind a card.
    """

    state: CameraState
    reason: str
    is_picture: bool
    title: str
    zones: tuple[Zone, ...] = ()
    hides_faces: bool = False


def sight_of(view: CameraView) -> Sight:
    """Decide how a camera is shown; a picture is only live while packets arrive and somebody analyses them."""
    sight = _sight_of(view)
    return replace(sight, hides_faces=view.info.stream is StreamFaces.BLURRED)


def _sight_of(view: CameraView) -> Sight:
    state, reason = view.state, view.reason
    if state is CameraState.LIVE and view.packet_age_s is not None and view.packet_age_s >= STALLED_AFTER_S:
        state, reason = CameraState.STALLED, f"last packet {view.packet_age_s:.0f} s ago"
    if state is not CameraState.LIVE:
        return Sight(state, reason, False, _TITLES[state])
    if view.frame_age_s is None:
        return Sight(state, "no frame has been analysed yet", False, "waiting for a picture")
    if view.frame_age_s >= max(_OVERDUE_S, 3 / (view.info.fps * _LEAST_FPS_FACTOR)):
        age_s = round(view.frame_age_s)
        return Sight(state, f"newest analysed frame is {age_s} s old; is a worker running?", False, "not analysed")
    return Sight(state, reason, True, _TITLES[state], view.info.zones)


def not_configured() -> Sight:
    """Return how a camera is shown that isn't registered, or not any longer."""
    return Sight(CameraState.OFFLINE, "no such camera is configured now", False, "gone")


def no_broker(reason: str) -> Sight:
    """Return how every camera is shown while Redis doesn't answer."""
    return Sight(CameraState.OFFLINE, reason, False, "no connection to Redis")


def unheard_of(view: CameraView) -> CameraView:
    """Return what is known of a camera while Redis doesn't answer: its settings; ages would stand still."""
    return replace(view, status=None, packet_age_s=None, frame_age_s=None, analysed_fps=0.0)


def no_answer() -> Sight:
    """Return how a camera is shown while the site itself waits for an answer."""
    return Sight(CameraState.OFFLINE, "the site has heard nothing for some seconds", False, "no answer")


def describe(view: CameraView, sight: Sight) -> dict[str, Any]:
    """Return what the API and the pages tell of a camera; holds no secret, since the view holds none."""
    status = view.status
    return {
        "name": view.info.name,
        "state": sight.state.value,
        "reason": sight.reason,
        "title": sight.title,
        "shows_picture": sight.is_picture,
        "fps": round(view.analysed_fps, 2),
        "captured_fps": round(status.captured_fps, 2) if status else 0.0,
        "frame_age_s": _rounded(view.frame_age_s),
        "packet_age_s": _rounded(view.packet_age_s),
        # Who was there when the camera was lost isn't there now; the tracks are closed some seconds later.
        "people": {verdict: number if sight.is_picture else 0 for verdict, number in view.people.items()},
        "source": view.info.source,
        "enabled": view.info.enabled,
        "configured_fps": view.info.fps,
        "width": view.info.width,
        "detector": view.info.detector,
        "profile": view.info.profile.value,
        "on": view.info.on,
        "holder": status.holder if status else "",
        "size_wh": list(status.size_wh) if status else [0, 0],
        "is_still": status.is_still if status else False,
        "note": status.note if status else "",
        "reconnects": status.reconnects if status else 0,
        "since_utc": status.since_utc if status else None,
    }


def describe_settings(view: CameraView) -> dict[str, Any]:
    """Return what the API tells of a camera's zones, rules and privacy, in the words of the configuration."""
    return {
        "zones": [
            {"name": zone.name, "polygon": [list(point) for point in zone.polygon_unit], "ignore": zone.is_ignored}
            for zone in view.info.zones
        ],
        "rules": [_rule(rule) for rule in view.info.rules],
        "privacy": {"snapshots": view.info.snapshots.value, "stream": view.info.stream.value},
    }


def describe_shedding(shedding: Shedding) -> dict[str, Any]:
    """Return what the API and the pages tell of what gives way because the workers can't keep up."""
    return {
        "level": shedding.level,
        "most": shedding.MOST,
        "fps_factor": round(shedding.fps_factor, 2),
        "words": shedding.words,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    hours = rule.schedule
    return {
        "name": rule.name,
        "zone": rule.zone or None,
        "require": MaskLabel.WITH_MASK.value if rule.requires_mask else None,
        "crowd": rule.crowd,
        "schedule": hours
        and {
            "days": [DAYS[day] for day in hours.days],
            "from": _time_of_day(hours.start_min),
            "to": _time_of_day(hours.end_min),
            "timezone": hours.timezone,
        },
        "evidence": {"of": rule.looks_of, "at_least": rule.looks_at_least},
        "grace_s": rule.grace_s,
        "cooldown_s": rule.cooldown_s,
        "severity": rule.severity.value,
    }


def _time_of_day(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)

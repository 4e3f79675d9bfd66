"""How values are written in Redis: msgpack lists that begin with a version and the kind of message.

Everything that is read is checked, since another version of Maskwatch may have written it: a malformed message raises
`WireError`, which says what and where, and whoever reads many drops that one.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskwatch.broker.fields import VERSION, Fields, finite, pack
from maskwatch.broker.messages import CameraInfo, ProcessInfo
from maskwatch.types import (
    LABELS,
    CameraState,
    CameraStatus,
    FrameResult,
    FrameStatus,
    MaskLabel,
    Person,
    Profile,
    Severity,
    Snapshots,
    StreamFaces,
    Verdict,
)
from maskwatch.zones import DAYS, MOST_RULES, Rule, Schedule, Zone

__all__ = [
    "VERSION",
    "FrameMeta",
    "pack_info",
    "pack_meta",
    "pack_process",
    "pack_result",
    "pack_status",
    "unpack_info",
    "unpack_meta",
    "unpack_process",
    "unpack_result",
    "unpack_status",
]

_MOST_PEOPLE = 10_000
_MOST_MODELS = 100
_MOST_CORNERS = 1000


@dataclass(frozen=True, slots=True)
class FrameMeta:
    """What travels beside a picture.

    Attributes:
        size_wh: its width and height in pixels.
        media_time_s: seconds within the epoch.
    """

    size_wh: tuple[int, int]
    media_time_s: float


def pack_meta(meta: FrameMeta) -> bytes:
    """Write what travels beside a picture.

    Raises:
        WireError: if a number in it is infinite or none.
    """
    return pack("frame", [*map(int, meta.size_wh), finite("media time", meta.media_time_s)])


def unpack_meta(data: bytes, where: str) -> FrameMeta:
    """Read what travels beside a picture.

    Args:
        data: as `pack_meta` wrote it.
        where: whose it is, for the error.

    Raises:
        WireError: if it has another form.
    """
    fields = Fields.of("frame", data, where, 3)
    return FrameMeta(size_wh=(fields.whole(), fields.whole()), media_time_s=fields.number())


def pack_info(info: CameraInfo) -> bytes:
    """Write a camera's public settings.

    Raises:
        WireError: if a number in it is infinite or none.
    """
    return pack(
        "camera",
        [
            info.name,
            info.source,
            info.enabled,
            finite("fps", info.fps),
            int(info.width),
            info.detector,
            info.profile.value,
            info.on,
            info.snapshots.value,
            info.stream.value,
            [_zone_fields(zone) for zone in info.zones],
            [_rule_fields(rule) for rule in info.rules],
        ],
    )


def unpack_info(data: bytes, where: str) -> CameraInfo:
    """Read a camera's public settings.

    Raises:
        WireError: if they have another form.
    """
    fields = Fields.of("camera", data, where, 12)
    return CameraInfo(
        name=fields.text(),
        source=fields.text(),
        enabled=fields.truth(),
        fps=fields.number(),
        width=fields.whole(),
        detector=fields.text(),
        profile=fields.one_of(Profile),
        on=fields.optional(fields.text),
        snapshots=fields.one_of(Snapshots),
        stream=fields.one_of(StreamFaces),
        zones=tuple(_zone(zone) for zone in fields.lists(3, MOST_RULES)),
        rules=tuple(_rule(rule) for rule in fields.lists(10, MOST_RULES)),
    )


def pack_status(status: CameraStatus) -> bytes:
    """Write what ingest says about a camera.

    Raises:
        WireError: if a number in it is infinite or none.
    """
    return pack(
        "status",
        [
            status.state.value,
            status.reason,
            finite("since", status.since_utc),
            None if status.packet_age_s is None else finite("packet age", status.packet_age_s),
            finite("captured fps", status.captured_fps),
            int(status.reconnects),
            *map(int, status.size_wh),
            status.holder,
            status.is_still,
            status.note,
        ],
    )


def unpack_status(data: bytes, where: str) -> CameraStatus:
    """Read what ingest says about a camera.

    Raises:
        WireError: if it has another form.
    """
    fields = Fields.of("status", data, where, 11)
    return CameraStatus(
        state=fields.one_of(CameraState),
        reason=fields.text(),
        since_utc=fields.number(),
        packet_age_s=fields.optional(fields.number),
        captured_fps=fields.number(),
        reconnects=fields.whole(),
        size_wh=(fields.whole(), fields.whole()),
        holder=fields.text(),
        is_still=fields.truth(),
        note=fields.text(),
    )


def pack_process(info: ProcessInfo) -> bytes:
    """Write what a process says of itself; its age isn't part of it."""
    return pack("process", [info.kind, info.name, info.address, info.host, info.engine, list(info.models)])


def unpack_process(data: bytes, where: str, age_s: float = 0.0) -> ProcessInfo:
    """Read what a process says of itself.

    Raises:
        WireError: if it has another form.
    """
    fields = Fields.of("process", data, where, 6)
    return ProcessInfo(
        kind=fields.text(),
        name=fields.text(),
        address=fields.text(),
        host=fields.text(),
        engine=fields.text(),
        models=tuple(fields.each(_MOST_MODELS, lambda one: one.text())),
        age_s=age_s,
    )


def pack_result(result: FrameResult) -> bytes:
    """Write what the analysis says of a frame.

    Raises:
        WireError: if a number in it is infinite or none.
    """
    people = [
        [
            int(person.track_id),
            *(finite("box", edge) for edge in person.box_unit),
            finite("score", person.score),
            None if person.label is None else person.label.value,
            [finite("probability", p) for p in person.probabilities],
            person.verdict.value,
            bool(person.seen),
        ]
        for person in result.people
    ]
    closed = [verdict.value for verdict in result.closed]
    names = [result.model, result.note, result.detector]
    faces = None if result.faces is None else [[finite("face", edge) for edge in face] for face in result.faces]
    return pack("result", [result.status.value, *map(int, result.size_wh), people, closed, *names, faces])


def unpack_result(data: bytes, where: str) -> FrameResult:
    """Read what the analysis says of a frame.

    Raises:
        WireError: if it has another form.
    """
    fields = Fields.of("result", data, where, 9)
    return FrameResult(
        status=fields.one_of(FrameStatus),
        size_wh=(fields.whole(), fields.whole()),
        people=tuple(_person(person) for person in fields.lists(10, _MOST_PEOPLE)),
        closed=tuple(fields.each(_MOST_PEOPLE, lambda one: one.one_of(Verdict))),
        model=fields.text(),
        note=fields.text(),
        detector=fields.text(),
        faces=fields.optional(lambda: tuple(_box(face) for face in fields.lists(4, _MOST_PEOPLE))),
    )


def _zone_fields(zone: Zone) -> list[object]:
    return [zone.name, zone.is_ignored, [finite("corner", value) for point in zone.polygon_unit for value in point]]


def _zone(fields: Fields) -> Zone:
    name, is_ignored = fields.text(), fields.truth()
    values = fields.each(_MOST_CORNERS * 2, lambda one: one.number())
    return Zone(name, tuple(zip(values[::2], values[1::2], strict=False)), is_ignored)


def _rule_fields(rule: Rule) -> list[object]:
    schedule = rule.schedule
    hours = [[list(schedule.days), schedule.start_min, schedule.end_min, schedule.timezone]] if schedule else []
    return [
        rule.name, rule.zone, rule.requires_mask, rule.crowd, hours, rule.looks_of, rule.looks_at_least,
        finite("grace", rule.grace_s), finite("cool-down", rule.cooldown_s), rule.severity.value,
    ]  # fmt: skip


def _rule(fields: Fields) -> Rule:
    return Rule(
        name=fields.text(),
        zone=fields.text(),
        requires_mask=fields.truth(),
        crowd=fields.optional(fields.whole),
        schedule=next((_schedule(one) for one in fields.lists(4, 1)), None),
        looks_of=fields.whole(),
        looks_at_least=fields.whole(),
        grace_s=fields.number(),
        cooldown_s=fields.number(),
        severity=fields.one_of(Severity),
    )


def _schedule(fields: Fields) -> Schedule:
    days = fields.each(len(DAYS), lambda one: one.whole())
    return Schedule(tuple(days), fields.whole(), fields.whole(), fields.text())


def _box(fields: Fields) -> tuple[float, float, float, float]:
    return fields.number(), fields.number(), fields.number(), fields.number()


def _person(fields: Fields) -> Person:
    return Person(
        track_id=fields.whole(),
        box_unit=_box(fields),
        score=fields.number(),
        label=fields.optional(lambda: fields.one_of(MaskLabel)),
        probabilities=tuple(fields.each(len(LABELS), lambda one: one.number())),
        verdict=fields.one_of(Verdict),
        seen=fields.truth(),
    )

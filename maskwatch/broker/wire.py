"""How values are written in Redis: msgpack lists that begin with a version and the kind of message.

Everything that is read is checked, since another version of Maskwatch may have written it: a malformed message raises
`WireError`, which says what and where, and whoever reads many drops that one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import msgpack

from maskwatch.broker.messages import CameraInfo, ProcessInfo
from maskwatch.errors import WireError
from maskwatch.types import (
    LABELS,
    CameraState,
    CameraStatus,
    FrameResult,
    FrameStatus,
    MaskLabel,
    Person,
    Profile,
    Verdict,
)

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

VERSION = 2
"""Raised whenever a message changes its form; a reader takes its own version only."""

_MOST_PEOPLE = 10_000
_MOST_MODELS = 100
_LONGEST_TEXT = 4096

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


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
    return _pack("frame", [*map(int, meta.size_wh), _finite("media time", meta.media_time_s)])


def unpack_meta(data: bytes, where: str) -> FrameMeta:
    """Read what travels beside a picture.

    Args:
        data: as `pack_meta` wrote it.
        where: whose it is, for the error.

    Raises:
        WireError: if it has another form.
    """
    fields = _Fields.of("frame", data, where, 3)
    return FrameMeta(size_wh=(fields.whole(), fields.whole()), media_time_s=fields.number())


def pack_info(info: CameraInfo) -> bytes:
    """Write a camera's public settings.

    Raises:
        WireError: if a number in it is infinite or none.
    """
    return _pack(
        "camera",
        [
            info.name,
            info.source,
            info.enabled,
            _finite("fps", info.fps),
            int(info.width),
            info.detector,
            info.profile.value,
            info.on,
        ],
    )


def unpack_info(data: bytes, where: str) -> CameraInfo:
    """Read a camera's public settings.

    Raises:
        WireError: if they have another form.
    """
    fields = _Fields.of("camera", data, where, 8)
    return CameraInfo(
        name=fields.text(),
        source=fields.text(),
        enabled=fields.truth(),
        fps=fields.number(),
        width=fields.whole(),
        detector=fields.text(),
        profile=fields.one_of(Profile),
        on=fields.optional(fields.text),
    )


def pack_status(status: CameraStatus) -> bytes:
    """Write what ingest says about a camera.

    Raises:
        WireError: if a number in it is infinite or none.
    """
    return _pack(
        "status",
        [
            status.state.value,
            status.reason,
            _finite("since", status.since_utc),
            None if status.packet_age_s is None else _finite("packet age", status.packet_age_s),
            _finite("captured fps", status.captured_fps),
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
    fields = _Fields.of("status", data, where, 11)
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
    return _pack("process", [info.kind, info.name, info.address, info.host, info.engine, list(info.models)])


def unpack_process(data: bytes, where: str, age_s: float = 0.0) -> ProcessInfo:
    """Read what a process says of itself.

    Raises:
        WireError: if it has another form.
    """
    fields = _Fields.of("process", data, where, 6)
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
            *(_finite("box", edge) for edge in person.box_unit),
            _finite("score", person.score),
            None if person.label is None else person.label.value,
            [_finite("probability", p) for p in person.probabilities],
            person.verdict.value,
            bool(person.seen),
        ]
        for person in result.people
    ]
    closed = [verdict.value for verdict in result.closed]
    names = [result.model, result.note, result.detector]
    return _pack("result", [result.status.value, *map(int, result.size_wh), people, closed, *names])


def unpack_result(data: bytes, where: str) -> FrameResult:
    """Read what the analysis says of a frame.

    Raises:
        WireError: if it has another form.
    """
    fields = _Fields.of("result", data, where, 8)
    return FrameResult(
        status=fields.one_of(FrameStatus),
        size_wh=(fields.whole(), fields.whole()),
        people=tuple(_person(person) for person in fields.lists(10, _MOST_PEOPLE)),
        closed=tuple(fields.each(_MOST_PEOPLE, lambda one: one.one_of(Verdict))),
        model=fields.text(),
        note=fields.text(),
        detector=fields.text(),
    )


def _person(fields: _Fields) -> Person:
    return Person(
        track_id=fields.whole(),
        box_unit=(fields.number(), fields.number(), fields.number(), fields.number()),
        score=fields.number(),
        label=fields.optional(lambda: fields.one_of(MaskLabel)),
        probabilities=tuple(fields.each(len(LABELS), lambda one: one.number())),
        verdict=fields.one_of(Verdict),
        seen=fields.truth(),
    )


def _finite(what: str, value: float) -> float:
    """Return a number as msgpack knows it; one that no reader would take is refused where it is made."""
    number = float(value)
    if not math.isfinite(number):
        raise WireError(f"{what}: expected a finite number, received {number}")
    return number


def _pack(kind: str, fields: Sequence[object]) -> bytes:
    packed = msgpack.packb([VERSION, kind, *fields])
    assert isinstance(packed, bytes)
    return packed


class _Fields:
    """The fields of one message, taken from front to back, each checked."""

    def __init__(self, values: Sequence[object], where: str) -> None:
        self._values = values
        self._where = where
        self._at = 0

    @classmethod
    def of(cls, kind: str, data: bytes, where: str, count: int) -> _Fields:
        """Open a message.

        Args:
            kind: which one is expected.
            data: the bytes.
            where: whose it is, for the error.
            count: how many fields it has.
        """
        what = f"{kind} of {where}"
        try:
            message: Any = msgpack.unpackb(data, strict_map_key=True)
        except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
            raise WireError(f"{what}: expected msgpack, received {len(data)} other bytes ({error})") from error
        if not isinstance(message, list) or len(message) < 2:
            raise WireError(f"{what}: expected a list that begins with version and kind, received {_short(message)}")
        if message[0] != VERSION:
            raise WireError(
                f"{what}: expected version {VERSION}, received {_short(message[0])}; "
                "run the same version of Maskwatch everywhere"
            )
        if message[1] != kind or len(message) != 2 + count:
            raise WireError(
                f"{what}: expected kind {kind!r} with {count} fields, "
                f"received kind {_short(message[1])} with {len(message) - 2}"
            )
        return cls(message[2:], what)

    def text(self) -> str:
        """Take a string."""
        value = self._next()
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise self._wrong("a string", value)
        return value

    def truth(self) -> bool:
        """Take a boolean."""
        value = self._next()
        if not isinstance(value, bool):
            raise self._wrong("true or false", value)
        return value

    def whole(self) -> int:
        """Take an integer that isn't negative."""
        value = self._next()
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._wrong("an integer >= 0", value)
        return value

    def number(self) -> float:
        """Take a finite float."""
        value = self._next()
        if not isinstance(value, float) or not math.isfinite(value):
            raise self._wrong("a finite float", value)
        return value

    def one_of(self, values: type[E]) -> E:
        """Take a member of an enumeration."""
        value = self._next()
        try:
            return values(str(value))
        except ValueError:
            raise self._wrong("one of " + ", ".join(values), value) from None

    def optional(self, take: Callable[[], T]) -> T | None:
        """Take a field that may be empty."""
        if self._at < len(self._values) and self._values[self._at] is None:
            self._at += 1
            return None
        return take()

    def each(self, most: int, take: Callable[[_Fields], T]) -> list[T]:
        """Take a list of single fields."""
        value = self._next()
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(f"a list of at most {most}", value)
        inner = _Fields(value, f"{self._where}, field {self._at}")
        return [take(inner) for _ in value]

    def lists(self, count: int, most: int) -> list[_Fields]:
        """Take a list of lists with `count` fields each."""
        value = self._next()
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(f"a list of at most {most}", value)
        for one in value:
            if not isinstance(one, list) or len(one) != count:
                raise self._wrong(f"a list of lists with {count} fields", value)
        return [_Fields(one, f"{self._where}, field {self._at}") for one in value]

    def _next(self) -> object:
        value = self._values[self._at]
        self._at += 1
        return value

    def _wrong(self, expected: str, received: object) -> WireError:
        return WireError(f"{self._where}, field {self._at}: expected {expected}, received {_short(received)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""The message codec: what is written is read, and anything else is told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maskwatch.broker import wire
from maskwatch.broker.messages import CameraInfo, ProcessInfo
from maskwatch.errors import WireError
from maskwatch.types import (
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
from maskwatch.zones import Rule, Schedule, Zone

numbers = st.floats(allow_nan=False, allow_infinity=False)
sizes = st.tuples(st.integers(0, 30_000), st.integers(0, 30_000))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
people = st.builds(
    Person,
    track_id=st.integers(1, 2**40),
    box_unit=st.tuples(numbers, numbers, numbers, numbers),
    score=numbers,
    label=st.none() | st.sampled_from(MaskLabel),
    probabilities=st.just(()) | st.tuples(numbers, numbers, numbers),
    verdict=st.sampled_from(Verdict),
    seen=st.booleans(),
)
results = st.builds(
    FrameResult,
    status=st.sampled_from(FrameStatus),
    size_wh=sizes,
    people=st.lists(people, max_size=4).map(tuple),
    closed=st.lists(st.sampled_from(Verdict), max_size=5).map(tuple),
    model=texts,
    note=texts,
    detector=texts,
    faces=st.none() | st.lists(st.tuples(numbers, numbers, numbers, numbers), max_size=3).map(tuple),
)
statuses = st.builds(
    CameraStatus,
    state=st.sampled_from(CameraState),
    reason=texts,
    since_utc=numbers,
    packet_age_s=st.none() | numbers,
    captured_fps=numbers,
    reconnects=st.integers(0, 2**31),
    size_wh=sizes,
    holder=texts,
)
units = st.floats(0, 1)
zones = st.builds(
    Zone, name=texts, polygon_unit=st.lists(st.tuples(units, units), max_size=5).map(tuple), is_ignored=st.booleans()
)
schedules = st.builds(
    Schedule,
    days=st.lists(st.integers(0, 6), max_size=7).map(tuple),
    start_min=st.integers(0, 1439),
    end_min=st.integers(0, 1440),
    timezone=texts,
)
rules = st.builds(
    Rule,
    name=texts,
    zone=texts,
    requires_mask=st.booleans(),
    crowd=st.none() | st.integers(1, 1000),
    schedule=st.none() | schedules,
    looks_of=st.integers(1, 16),
    looks_at_least=st.integers(1, 16),
    grace_s=st.floats(0, 3600),
    cooldown_s=st.floats(0, 86400),
    severity=st.sampled_from(Severity),
)
infos = st.builds(
    CameraInfo,
    name=texts,
    source=texts,
    enabled=st.booleans(),
    fps=numbers,
    width=st.integers(1, 10_000),
    detector=texts,
    profile=st.sampled_from(Profile),
    on=st.none() | texts,
    snapshots=st.sampled_from(Snapshots),
    stream=st.sampled_from(StreamFaces),
    zones=st.lists(zones, max_size=3).map(tuple),
    rules=st.lists(rules, max_size=3).map(tuple),
)
processes = st.builds(
    ProcessInfo, kind=texts, name=texts, address=texts, host=texts, engine=texts, models=st.tuples(texts, texts)
)

READERS: dict[str, Callable[[bytes, str], object]] = {
    "frame": wire.unpack_meta,
    "camera": wire.unpack_info,
    "status": wire.unpack_status,
    "process": wire.unpack_process,
    "result": wire.unpack_result,
}
SAMPLES: dict[str, bytes] = {
    "frame": wire.pack_meta(wire.FrameMeta((640, 360), 1.5)),
    "camera": wire.pack_info(CameraInfo("lobby")),
    "status": wire.pack_status(CameraStatus(CameraState.LIVE)),
    "process": wire.pack_process(ProcessInfo("worker", "w1")),
    "result": wire.pack_result(
        FrameResult(
            FrameStatus.OK,
            (640, 360),
            (Person(1, (0.1, 0.1, 0.2, 0.2), 0.9, MaskLabel.WITH_MASK, (1.0, 0.0, 0.0), Verdict.UNKNOWN),),
            (Verdict.WITH_MASK,),
        )
    ),
}


@given(results)
def test_result_survives_the_wire(result: FrameResult) -> None:
    assert wire.unpack_result(wire.pack_result(result), "camera lobby") == result


@given(statuses)
def test_status_survives_the_wire(status: CameraStatus) -> None:
    assert wire.unpack_status(wire.pack_status(status), "camera lobby") == status


@given(infos)
def test_camera_info_survives_the_wire(info: CameraInfo) -> None:
    assert wire.unpack_info(wire.pack_info(info), "camera lobby") == info


@given(processes)
def test_process_survives_the_wire_and_age_is_the_readers(info: ProcessInfo) -> None:
    read = wire.unpack_process(wire.pack_process(info), "process", 2.5)
    assert read.age_s == 2.5
    assert (read.kind, read.name, read.address, read.host, read.engine) == (
        info.kind,
        info.name,
        info.address,
        info.host,
        info.engine,
    )


@given(sizes, numbers)
def test_frame_metadata_survives_the_wire(size_wh: tuple[int, int], media_time_s: float) -> None:
    meta = wire.FrameMeta(size_wh, media_time_s)
    assert wire.unpack_meta(wire.pack_meta(meta), "camera lobby") == meta


def test_whole_numbers_are_welcome_where_floats_are_expected() -> None:
    assert wire.unpack_meta(wire.pack_meta(wire.FrameMeta((1, 1), 3)), "camera lobby").media_time_s == 3.0


@pytest.mark.parametrize("kind", READERS)
@given(data=st.binary(max_size=60))
@example(data=b"")
@example(data=b"\xc1")
@example(data=b"\x91" * 2000)
@example(data=msgpack.packb({}))
def test_foreign_bytes_raise_only_wire_errors(kind: str, data: bytes) -> None:
    with pytest.raises(WireError, match=f"{kind} of camera lobby"):
        READERS[kind](data, "camera lobby")


@pytest.mark.parametrize("kind", READERS)
@given(chance=st.data())
def test_one_wrong_field_is_told_with_its_place(kind: str, chance: st.DataObject) -> None:
    message = msgpack.unpackb(SAMPLES[kind])
    at = chance.draw(st.integers(2, len(message) - 1))
    message[at] = {"no": "field is a map"}
    with pytest.raises(WireError, match=rf"{kind} of camera lobby, field {at - 1}: expected .*received"):
        READERS[kind](msgpack.packb(message), "camera lobby")


@pytest.mark.parametrize("kind", READERS)
def test_truncated_message_is_refused(kind: str) -> None:
    message = msgpack.unpackb(SAMPLES[kind])
    with pytest.raises(WireError, match=f"{len(message) - 3}"):
        READERS[kind](msgpack.packb(message[:-1]), "camera lobby")


@pytest.mark.parametrize("kind", READERS)
def test_message_of_another_version_names_both(kind: str) -> None:
    message = msgpack.unpackb(SAMPLES[kind])
    message[0] = 7
    with pytest.raises(WireError, match="expected version 4, received 7; run the same version"):
        READERS[kind](msgpack.packb(message), "camera lobby")


def test_message_of_another_kind_names_both() -> None:
    with pytest.raises(WireError, match="expected kind 'result' with 9 fields, received kind 'frame' with 3"):
        wire.unpack_result(SAMPLES["frame"], "camera lobby")


def test_unknown_label_is_refused_with_the_known_ones() -> None:
    message = msgpack.unpackb(SAMPLES["result"])
    message[5][0][6] = "moustache"
    with pytest.raises(WireError, match="one of with_mask, without_mask, incorrect_mask, received 'moustache'"):
        wire.unpack_result(msgpack.packb(message), "camera lobby")


def test_numbers_that_are_none_are_refused_where_they_are_made() -> None:
    person = Person(1, (0.1, 0.1, float("inf"), 0.2), 0.9, None, (), Verdict.UNKNOWN)
    with pytest.raises(WireError, match="box: expected a finite number, received inf"):
        wire.pack_result(FrameResult(FrameStatus.OK, (1, 1), (person,)))


def test_numbers_of_numpy_are_welcome() -> None:
    box: Any = tuple(np.array([0.25, 0.25, 0.5, 0.5], dtype=np.float32))
    track_id: Any = np.int64(3)
    seen: Any = np.bool_(False)
    person = Person(track_id, box, np.float32(0.5).item(), None, (), Verdict.UNKNOWN, seen)
    (read,) = wire.unpack_result(wire.pack_result(FrameResult(FrameStatus.OK, (4, 3), (person,))), "camera x").people
    assert read == Person(3, (0.25, 0.25, 0.5, 0.5), 0.5, None, (), Verdict.UNKNOWN, False)


def test_numbers_that_are_none_are_refused() -> None:
    message = msgpack.unpackb(SAMPLES["frame"])
    message[4] = float("nan")
    with pytest.raises(WireError, match="expected a finite float, received nan"):
        wire.unpack_meta(msgpack.packb(message), "camera lobby")


def test_long_garbage_is_not_repeated_in_the_error() -> None:
    message = msgpack.unpackb(SAMPLES["frame"])
    message[2] = "x" * 5000
    with pytest.raises(WireError) as raised:
        wire.unpack_meta(msgpack.packb(message), "camera lobby")
    assert len(str(raised.value)) < 200

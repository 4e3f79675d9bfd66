"""The rules' part of a camera's state, as bytes.

Layout, little endian: number of zones, then each one's name; number of rules, then each one's name, zone and severity
(a name is its length and its characters); for each track, in the order of the tracks, its looks; number of matters,
then each one; number from which on those of crowds are free.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from maskwatch.errors import WireError
from maskwatch.types import Severity
from maskwatch.zones import MOST_RULES
from workers.matters import CROWD, MOST_MATTERS, Looks, Matter, Phase, RuleState
from workers.rounding import from_byte, to_byte

__all__ = ["pack_rules", "unpack_rules"]

_LOOKS = struct.Struct("<HB3H")
_MATTER = struct.Struct("<BBIBII")
_CROWDS = struct.Struct("<I")
_NOBODY = 255
_SEVERITIES = tuple(Severity)
_LONGEST_NAME = 32
_TICKS_PER_S = 100
"""Media times are kept as they are, not as ages: those would wander a little with every frame."""

_MOST_TICKS = 2**32 - 1
_MOST_ORDINAL = 2**30 - 1
"""One a second for 34 years: events under a number that was given before would be taken for repeats."""

_WHOLE = 65535


def pack_rules(state: RuleState, tracks: Sequence[int]) -> bytes:
    """Write what rules need to know.

    Args:
        state: of which matters of other tracks are left out.
        tracks: ids of all tracks, at most 255.

    Raises:
        WireError: if there are more rules or matters than there is room for.
    """
    # After a change of the configuration there may be names of both.
    zones = sorted({zone for seen in state.looks.values() for zone in seen.zones})[:MOST_RULES]
    names = list(state.rules)
    places = {track_id: at for at, track_id in enumerate(tracks)} | {CROWD: _NOBODY}
    matters = [(key, matter) for key, matter in state.matters.items() if key[1] in places]
    if len(names) > MOST_RULES or len(matters) > MOST_MATTERS:
        raise WireError(
            f"state: expected at most {MOST_RULES} rules and {MOST_MATTERS} matters, "
            f"received {len(names)} and {len(matters)}"
        )
    parts = [bytes([len(zones)]), *map(_pack_name, zones), bytes([len(names)])]
    for name, (zone, severity) in state.rules.items():
        parts += [_pack_name(name), _pack_name(zone), bytes([_SEVERITIES.index(severity)])]
    parts += [_pack_looks(state.looks.get(track_id, Looks()), zones) for track_id in tracks]
    parts.append(bytes([len(matters)]))
    parts += [_pack_matter(names.index(key[0]), places[key[1]], matter) for key, matter in matters]
    parts.append(_CROWDS.pack(min(_MOST_ORDINAL, state.crowds)))
    return b"".join(parts)


def unpack_rules(data: bytes, tracks: Sequence[int]) -> RuleState:
    """Read what rules need to know.

    Raises:
        WireError: if it has another form.
    """
    reader = _Reader(data)
    zones = [reader.name() for _ in range(reader.count(MOST_RULES))]
    rules = {reader.name(): (reader.name(), reader.severity()) for _ in range(reader.count(MOST_RULES))}
    looks = {track_id: _unpack_looks(reader.take(_LOOKS), zones) for track_id in tracks}
    matters = dict(_unpack_matter(reader.take(_MATTER), list(rules), tracks) for _ in range(reader.count(MOST_MATTERS)))
    (crowds,) = reader.take(_CROWDS)
    reader.end()
    return RuleState({one: seen for one, seen in looks.items() if seen != Looks()}, matters, rules, crowds)


def _pack_name(name: str) -> bytes:
    data = name.encode()
    if len(data) > _LONGEST_NAME:
        raise WireError(f"state: expected names of at most {_LONGEST_NAME} bytes, received {name!r}")
    return bytes([len(data)]) + data


def _pack_looks(seen: Looks, zones: Sequence[str]) -> bytes:
    visited = sum(1 << at for at, zone in enumerate(zones) if zone in seen.zones)
    first, second = (min(_WHOLE, max(0, round(_WHOLE * mean))) for mean in seen.means[:2])
    return _LOOKS.pack(seen.against, seen.count, first, second, visited)


def _unpack_looks(values: Sequence[int], zones: Sequence[str]) -> Looks:
    against, count, first, second, visited = values
    if visited >> len(zones):
        raise WireError("state: a person in a zone that there isn't; all tracks start afresh")
    means = (first / _WHOLE, second / _WHOLE, max(0, _WHOLE - first - second) / _WHOLE) if count else (0.0, 0.0, 0.0)
    return Looks(against, count, means, frozenset(zone for at, zone in enumerate(zones) if visited >> at & 1))


def _pack_matter(rule: int, track: int, matter: Matter) -> bytes:
    began, held = (min(_MOST_TICKS, max(0, round(_TICKS_PER_S * at_s))) for at_s in (matter.began_s, matter.held_s))
    counted = min(_MOST_ORDINAL, matter.ordinal) << 2 | matter.phase
    return _MATTER.pack(rule, track, counted, to_byte(matter.quality), began, held)


def _unpack_matter(
    values: Sequence[int], rules: Sequence[str], tracks: Sequence[int]
) -> tuple[tuple[str, int], Matter]:
    rule, track, counted, quality, began, held = values
    if rule >= len(rules) or (track >= len(tracks) and track != _NOBODY) or counted & 3 > max(Phase):
        raise WireError("state: a matter of no rule or track; all tracks start afresh")
    about = CROWD if track == _NOBODY else tracks[track]
    times = began / _TICKS_PER_S, held / _TICKS_PER_S
    return (rules[rule], about), Matter(Phase(counted & 3), *times, counted >> 2, from_byte(quality))


class _Reader:
    """Bytes, taken from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def count(self, most: int) -> int:
        number = self._byte()
        if number > most:
            raise WireError(f"state: expected at most {most} entries, received {number}; all tracks start afresh")
        return number

    def name(self) -> str:
        length = self._byte()
        data = self._data[self._at : self._at + length]
        self._at += length
        if len(data) < length or length > _LONGEST_NAME:
            raise WireError(f"state: a name of {length} bytes; all tracks start afresh")
        return data.decode()

    def severity(self) -> Severity:
        number = self._byte()
        if number >= len(_SEVERITIES):
            raise WireError(f"state: severity {number} that there isn't; all tracks start afresh")
        return _SEVERITIES[number]

    def take(self, form: struct.Struct) -> tuple[int, ...]:
        values: tuple[int, ...] = form.unpack_from(self._data, self._at)
        self._at += form.size
        return values

    def end(self) -> None:
        if self._at != len(self._data):
            raise WireError(f"state: {len(self._data) - self._at} bytes too many; all tracks start afresh")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

"""Which cameras an ingest process should take and give, so that all of them share evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

__all__ = ["Shares", "plan", "share"]

_LEAST_MOVING = 4


@dataclass(frozen=True, slots=True)
class Shares:
    """What to do next.

    Attributes:
        take: cameras to try to hold, in this order.
        give: cameras to close and release.
    """

    take: tuple[str, ...] = ()
    give: tuple[str, ...] = ()


def share(me: str, living: Sequence[str], cameras: int) -> int:
    """Return how many of the unbound cameras are this ingest's: equal parts, the remainder to the first by name."""
    names = sorted({me, *living})
    whole, rest = divmod(cameras, len(names))
    return whole + (1 if names.index(me) < rest else 0)


def plan(
    me: str,
    living: Sequence[str],
    cameras: Mapping[str, str | None],
    holders: Mapping[str, str],
    mine: Set[str],
    *,
    reclaim: bool = False,
) -> Shares:
    """Tell what to take and give; pure, so that every ingest comes to the same view of the shares.

    A camera moves in two steps: its holder closes and releases it, then one that has less than its share takes it.
    Two thirds of what is too many move at a time: nothing is given while an unbound one waits for a taker.

    Args:
        me: name of this ingest.
        living: names of all that are alive.
        cameras: enabled cameras of the configuration, and the ingest to which each is bound, if any.
        holders: who holds what, by the book.
        mine: cameras that this ingest reads now.
        reclaim: whether what the book has under this name and isn't read here belongs to this process, started again;
            later it belongs to another process that was given the same name by mistake.

    Returns:
        Cameras to take and to give.
    """
    unbound = sorted(name for name, on in cameras.items() if on is None)
    bound_here = sorted(name for name, on in cameras.items() if on == me)
    elsewhere = [name for name in sorted(mine) if name not in cameras or cameras[name] not in (None, me)]
    free = [name for name in unbound if name not in holders and name not in mine]
    left = [name for name in cameras if name not in mine and holders.get(name) == me] if reclaim else []
    wanted = [name for name in bound_here if name not in mine and (name not in holders or name in left)]
    wanted += [name for name in unbound if name in left]
    have = sum(1 for name in unbound if name in mine or name in left)
    room = share(me, living, len(unbound)) - have
    if room > 0:
        return Shares((*wanted, *free[:room]), tuple(elsewhere))
    surplus = sorted(name for name in unbound if name in mine)[-_moving(-room) :] if room < 0 and not free else []
    return Shares(tuple(wanted), (*elsewhere, *surplus))


def _moving(surplus: int) -> int:
    """Return how many of so many to give at once.

    A move takes one to two seconds. One at a time would take minutes for a hundred cameras; all at once would put all
    of them out of sight together, and for as long as a newcomer that can't read them is believed to be alive.
    """
    return max(min(surplus, _LEAST_MOVING), surplus * 2 // 3)

"""What was drawn last for each camera and width, and whether it has to be drawn again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import structlog

from maskwatch.broker.messages import Shown
from maskwatch.errors import SourceError
from web.painter import paint_card, paint_frame
from web.sight import Sight
from web.watcher import Picture

__all__ = ["Screens"]


@dataclass(frozen=True, slots=True)
class _Screen:
    sight: Sight
    made_at: float
    picture: Picture


class Screens:
    """Draws and encodes once for all who watch a camera at one width. Not for several threads.

    Args:
        card_s: seconds, at least, between two cards that differ in their reason only, which may count seconds.
    """

    def __init__(self, card_s: float) -> None:
        self._card_s = card_s
        self._screens: dict[tuple[str, int], _Screen] = {}
        self._frame_made_at: dict[str, float] = {}
        self._unreadable: set[str] = set()
        self._log = structlog.get_logger()

    def current(self, width: int) -> list[Picture]:
        """Return what viewers of this width see now."""
        return [screen.picture for (_camera, own), screen in list(self._screens.items()) if own == width]

    def frame_made_at(self, camera: str) -> float:
        """Return when a frame of a camera was drawn last; minus infinity before the first."""
        return self._frame_made_at.get(camera, float("-inf"))

    def refresh(
        self, camera: str, widths: Collection[int], sight: Sight, shown: Shown | None, now: float, *, is_new: bool
    ) -> dict[int, Picture]:
        """Draw what viewers don't see yet.

        Args:
            camera: whose.
            widths: in use.
            sight: what is to be seen.
            shown: the newest analysed frame, if there is one.
            now: monotonic seconds.
            is_new: whether `shown` has changed since the last call.

        Returns:
            New pictures by width; empty when everybody has seen what there is.
        """
        if sight.is_picture and shown is None:
            sight = Sight(sight.state, "its picture is on the way", False, "waiting for a picture")
        due = [w for w in widths if self._is_due(self._screens.get((camera, w)), sight, now, is_new=is_new)]
        if not due:
            return {}
        painted = self._frames(camera, shown, due, sight) if sight.is_picture and shown else None
        is_live = painted is not None
        if painted is None:
            failed = Sight(sight.state, "the picture can't be decoded", False, "no picture")
            painted = paint_card(failed, None, due) if sight.is_picture else paint_card(sight, shown, due)
        if is_live:
            self._frame_made_at[camera] = now
        pictures = {}
        for width, jpeg in painted.items():
            picture = Picture(camera, shown.frame_id if shown and is_live else "", is_live, jpeg)
            self._screens[camera, width] = _Screen(sight, now, picture)
            pictures[width] = picture
        return pictures

    def keep_only(self, wanted: Mapping[str, Collection[int]]) -> None:
        """Forget what nobody watches."""
        for camera, width in [key for key in self._screens if key[1] not in wanted.get(key[0], ())]:
            del self._screens[camera, width]
        for camera in [name for name in self._frame_made_at if name not in wanted]:
            del self._frame_made_at[camera]

    def _is_due(self, screen: _Screen | None, sight: Sight, now: float, *, is_new: bool) -> bool:
        if screen is None:
            return True
        if sight.is_picture:
            return is_new or not screen.sight.is_picture
        if screen.sight.is_picture or screen.sight.title != sight.title:
            return True
        return screen.sight.reason != sight.reason and now - screen.made_at >= self._card_s

    def _frames(self, camera: str, shown: Shown, widths: Collection[int], sight: Sight) -> dict[int, bytes] | None:
        """Draw a frame, or return None when it can't be decoded, which is logged once until one can."""
        try:
            painted = paint_frame(shown, widths, sight)
        except SourceError as error:
            if camera not in self._unreadable:
                self._log.warning("picture.unreadable", camera=camera, error=str(error))
            self._unreadable.add(camera)
            return None
        self._unreadable.discard(camera)
        return painted

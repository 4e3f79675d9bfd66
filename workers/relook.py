"""Which faces need no look: those of a settled person that look as they did when they were last classified.

A person who has worn a mask properly for ten frames needs no eleventh opinion. A track is looked at in every frame
until its verdict is clear and the last look agreed with it; from then on when a time has passed, when its face gets
larger or sharper than it ever was, or when it changes. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2

from maskwatch.arrays import UInt8Array
from maskwatch.settings import RelookSettings
from maskwatch.types import LABELS, MaskLabel, Verdict
from workers.verdict import Evidence, VerdictOptions

__all__ = ["CELLS", "NO_GLANCE", "Glance", "RelookOptions", "best_label", "glanced", "glimpse", "needs_look"]

CELLS = 6
"""Two columns, three rows: forehead, nose and chin, each half of the face by itself."""

_RARER = 4.0
"""Factor of the time between looks while workers can't keep up."""

_CLEAR = 2.0
"""Times the lead and the looks that a verdict needs: what is only just enough is no settled matter."""


@dataclass(frozen=True, slots=True)
class RelookOptions:
    """When a settled track is looked at again.

    Attributes:
        every_s: seconds of media time after which it is, whatever else.
        better: by which factor its face must be larger or sharper than ever before.
        changed: by how many grey levels a sixth of its face must change against the others.
    """

    every_s: float = 1.0
    better: float = 1.4
    changed: float = 25.0

    @classmethod
    def of(cls, settings: RelookSettings) -> RelookOptions | None:
        """Return what the configuration says; None: every face is classified in every frame."""
        return cls(settings.every_s, settings.better, settings.changed) if settings.enabled else None

    @classmethod
    def rarer(cls, options: RelookOptions | None) -> RelookOptions:
        """Return a rule with fewer looks; the first that there is in place of none."""
        return cls() if options is None else replace(options, every_s=_RARER * options.every_s)


@dataclass(frozen=True, slots=True)
class Glance:
    """What a track's face looked like.

    Attributes:
        size_px: longest side of its box; of a track the largest that was classified.
        sharpness: see `models.crop`; of a track the greatest that was classified.
        cells: `CELLS` grey levels of the face; of a track those that were classified last.
        agreed: whether the last look said what the verdict says.
        probabilities: what the last look said, one per entry of `LABELS`; empty before.
    """

    size_px: float
    sharpness: float
    cells: bytes
    agreed: bool = False
    probabilities: tuple[float, ...] = ()


NO_GLANCE = Glance(0.0, 0.0, bytes(CELLS))
"""Of a face that nobody looked at: any other one is larger, so it never saves a look."""


def best_label(probabilities: Sequence[float]) -> MaskLabel:
    """Return the label that a look says.

    Args:
        probabilities: one per entry of `LABELS`.
    """
    return LABELS[max(range(len(LABELS)), key=lambda at: probabilities[at])]


def glimpse(face_rgb: UInt8Array, size_px: float, sharpness: float) -> Glance:
    """Return what one face looks like now.

    Args:
        face_rgb: (S, S, 3) uint8 RGB from `crop_faces`.
        size_px: longest side of its box in pixels of the frame.
        sharpness: as `face_quality` measures it.
    """
    grey = cv2.cvtColor(cv2.resize(face_rgb, (2, 3), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return Glance(size_px, sharpness, grey.tobytes())


def needs_look(
    now: Glance,
    known: Glance | None,
    evidence: Evidence,
    media_time_s: float,
    options: RelookOptions,
    verdict: VerdictOptions,
) -> bool:
    """Say whether a face is to be classified.

    Args:
        now: what it looks like.
        known: what it looked like, or None for one that was never classified.
        evidence: of its track.
        media_time_s: of the frame.
        options: the rule.
        verdict: when evidence is enough.
    """
    if known is None or not known.agreed or not _is_clear(evidence, verdict):
        return True
    passed_s = media_time_s - evidence.time_s
    # Times come back rounded; a frame that is due in a millisecond is due.
    if passed_s < 0 or passed_s >= options.every_s - 1e-3:
        return True
    if now.size_px >= options.better * known.size_px or now.sharpness >= options.better * known.sharpness:
        return True
    return _change(now.cells, known.cells) >= options.changed


def glanced(now: Glance, known: Glance | None, probabilities: tuple[float, ...], verdict: Verdict) -> Glance:
    """Return what is to be remembered of a face that was classified.

    Args:
        now: what it looks like.
        known: what was remembered, or None.
        probabilities: one per entry of `LABELS`.
        verdict: of its track, this look included.
    """
    label = best_label(probabilities)
    size_px, sharpness = now.size_px, now.sharpness
    if known is not None:
        size_px, sharpness = max(size_px, known.size_px), max(sharpness, known.sharpness)
    return Glance(size_px, sharpness, now.cells, label.value == verdict.value, probabilities)


def _is_clear(evidence: Evidence, options: VerdictOptions) -> bool:
    if evidence.verdict is Verdict.UNKNOWN or evidence.looks < _CLEAR * options.least_looks:
        return False
    own = [label.value for label in LABELS].index(evidence.verdict.value)
    rival = max(value for at, value in enumerate(evidence.sums) if at != own)
    return evidence.sums[own] - rival >= _CLEAR * options.lead


def _change(now: bytes, before: bytes) -> float:
    """Return the greatest change of a cell in grey levels, less the change of all of them: lamps and exposure."""
    if len(now) != len(before) or not now:
        return 255.0
    changes = [new - old for new, old in zip(now, before, strict=True)]
    middle = sorted(changes)[len(changes) // 2]
    return float(max(abs(change - middle) for change in changes))

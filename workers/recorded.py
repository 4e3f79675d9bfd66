"""A recorded video through the pipeline, from its beginning or from where an earlier run stood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from maskwatch.arrays import UInt8Array
from maskwatch.broker.messages import TakenKind
from maskwatch.errors import ConfigError, MaskwatchError, SourceError
from maskwatch.media import FrameSource, MediaFrame
from maskwatch.service import Stop
from maskwatch.types import FrameResult, FrameStatus, Profile, Verdict
from workers.pipeline import Pipeline, PipelineItem, PipelineOutput

__all__ = ["MOST_BATCH", "Look", "Looking", "Place", "Recorded", "analysed", "check_whole", "end_item", "frame_item"]

MOST_BATCH = 8
_MOST_BATCH_BYTES = 32 << 20
_CUT_OFF_S = 1.0

Look = tuple[MediaFrame, FrameResult]
"""A picture and what was seen in it."""


@dataclass(frozen=True, slots=True)
class Looking:
    """How a video is looked at.

    Attributes:
        every: one picture in so many.
        detector: name of the face detector.
        profile: how much work it is given.
    """

    every: int = 1
    detector: str = "maskwatch"
    profile: Profile = Profile.ACCURATE


@dataclass(slots=True)
class Place:
    """How far a video has been looked at: all that another run needs to go on.

    Attributes:
        read: pictures of the source that are done with.
        read_s: media time of the last of them, or None before the first.
        state: of the pipeline.
    """

    read: int = 0
    read_s: float | None = None
    state: bytes = b""


class Recorded:
    """Looks at the pictures of a source one after the other.

    Args:
        pipeline: may be used for several videos; what it knows of each is in the place.
        looking: how.
        stop: a request to end.
    """

    def __init__(self, pipeline: Pipeline, looking: Looking, stop: Stop) -> None:
        self._pipeline = pipeline
        self._looking = looking
        self._stop = stop

    def looks(self, source: FrameSource, place: Place, most: int = MOST_BATCH) -> Iterator[list[Look]]:
        """Yield analysed pictures, a few at a time; whenever some are yielded, `place` is behind them.

        Args:
            source: newly opened.
            place: where to begin; moves on.
            most: pictures at once.

        Raises:
            ConfigError: if there is no such detector.
            MaskwatchError: what the source says when it breaks off; the pictures before that were yielded.
        """
        for _ in range(place.read):
            # Decoded, because others depend on it; not converted. A seek would land on other pictures in some files.
            if self._stop.requested or source.grab() is None:
                return
        broken: list[MaskwatchError] = []
        yield from self._batches(source, place, most, broken)
        if broken:
            raise broken[0]

    def finish(self, place: Place) -> tuple[Verdict, ...]:
        """Close the tracks that are open at the end of a video and return their verdicts."""
        if not place.state:
            return ()
        (last,) = self._pipeline.process([end_item(place.state)])
        return last.result.closed

    def _batches(
        self, source: FrameSource, place: Place, most: int, broken: list[MaskwatchError]
    ) -> Iterator[list[Look]]:
        batch: list[MediaFrame] = []
        read, read_s = place.read, place.read_s
        while not self._stop.requested:
            try:
                frame = source.read()
            except MaskwatchError as error:
                broken.append(error)
                break
            if frame is None:
                break
            if read % self._looking.every == 0:
                batch.append(frame)
            read, read_s = read + 1, frame.media_time_s
            if batch and (len(batch) >= most or len(batch) * frame.frame_bgr.nbytes >= _MOST_BATCH_BYTES):
                yield self._analyse(batch, place, read, read_s)
                batch = []
        if batch:
            yield self._analyse(batch, place, read, read_s)
        place.read, place.read_s = read, read_s

    def _analyse(self, batch: list[MediaFrame], place: Place, read: int, read_s: float | None) -> list[Look]:
        items = [frame_item(frame.frame_bgr, frame.media_time_s, place.state, self._looking) for frame in batch]
        looks: list[Look] = []
        for frame, output in zip(batch, self._pipeline.process(items), strict=True):
            place.state = output.state
            looks.append((frame, analysed(output)))
        place.read, place.read_s = read, read_s
        return looks


def frame_item(frame_bgr: UInt8Array, media_time_s: float, state: bytes, looking: Looking) -> PipelineItem:
    """Return what the pipeline takes of one picture.

    Args:
        frame_bgr: (H, W, 3) uint8.
        media_time_s: of the picture.
        state: of the pipeline after the picture before.
        looking: how it is looked at.
    """
    return PipelineItem(
        "input", "input", TakenKind.FRAME, media_time_s, frame_bgr=frame_bgr, state=state,
        detector=looking.detector, profile=looking.profile,
    )  # fmt: skip


def end_item(state: bytes) -> PipelineItem:
    """Return what the pipeline takes when there are no more pictures."""
    return PipelineItem("input", "input", TakenKind.END, 0.0, state=state)


def analysed(output: PipelineOutput) -> FrameResult:
    """Return a result that is fine; a picture that was read can only fail for want of its detector.

    Raises:
        ConfigError: with the reason.
    """
    if output.result.status is not FrameStatus.OK:
        raise ConfigError(output.result.note)
    return output.result


def check_whole(source: FrameSource, read_s: float | None, shown: str) -> None:
    """Refuse to call a file done that gave nothing, or ended long before its stated length.

    Args:
        source: read to its end.
        read_s: media time of its last picture.
        shown: its name.

    Raises:
        SourceError: saying how far it went.
    """
    if read_s is None:
        raise SourceError(f"{shown}: no picture could be read; it is cut off or has no video")
    if source.duration_s and source.duration_s - read_s > max(_CUT_OFF_S, 0.1 * source.duration_s):
        raise SourceError(
            f"{shown}: ended after {read_s:.1f} of {source.duration_s:.1f} s; it is cut off: get the whole file"
        )

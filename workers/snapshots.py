"""The picture that is kept of an event, as the camera's privacy allows it."""

from __future__ import annotations

from dataclasses import replace

from maskwatch.media import encode_jpeg
from maskwatch.render import annotate, blur_faces
from maskwatch.types import FrameStatus, Snapshots
from workers.items import PipelineOutput, boxes_unit
from workers.matters import CROWD

__all__ = ["snapshot"]


def snapshot(output: PipelineOutput, track_id: int, allowed: Snapshots) -> bytes | None:
    """Draw the picture of an event.

    Args:
        output: of the frame in which it happened.
        track_id: whom it is about, `CROWD` for everybody.
        allowed: what may be kept; unless it is `FULL` all faces are blurred, also those that are only suspected.

    Returns:
        A JPEG, or None when there is no picture or none may be kept.
    """
    if output.frame_bgr is None or allowed is Snapshots.NONE:
        return None
    frame_bgr = output.frame_bgr.copy()
    if allowed is not Snapshots.FULL:
        height, width = frame_bgr.shape[:2]
        found = boxes_unit(output.faces, (width, height))
        blur_faces(frame_bgr, [*found, *(person.box_unit for person in output.result.people)])
    about = tuple(person for person in output.result.people if track_id in (CROWD, person.track_id))
    annotate(frame_bgr, replace(output.result, status=FrameStatus.OK, people=about))
    return encode_jpeg(frame_bgr)

"""Reading labelled pictures: COCO scenes, Pascal VOC scenes and class folders, all as one list of pictures."""

from __future__ import annotations

from maskwatch.labelled.pictures import LabelledFace, LabelledPicture
from maskwatch.labelled.reader import read_labelled

__all__ = ["LabelledFace", "LabelledPicture", "read_labelled"]

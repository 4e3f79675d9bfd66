"""Drawing on pictures: boxes and verdicts of people, and the cards that stand in for a missing picture."""

from maskwatch.render.annotate import annotate
from maskwatch.render.blur import blur_faces
from maskwatch.render.cards import card
from maskwatch.render.palette import VERDICT_STYLES, VerdictStyle
from maskwatch.render.zones import draw_zones

__all__ = ["VERDICT_STYLES", "VerdictStyle", "annotate", "blur_faces", "card", "draw_zones"]

from __future__ import annotations

from importlib.metadata import entry_points

from maskwatch.cli import GROUP, SUMMARIES


def test_every_verb_has_a_line_in_the_help_and_every_line_a_verb() -> None:
    assert {point.name for point in entry_points(group=GROUP)} == set(SUMMARIES)

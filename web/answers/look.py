"""What templates of the pages and of the report share: the same words for the same figures."""

from __future__ import annotations

from jinja2 import Environment

from maskwatch.types import Verdict
from web.answers import words
from web.answers.chart import split_bar

__all__ = ["install_words"]

_LONG_TABLE = 45
"""Lines of a table that are shown at once; a month of days is."""

_SIGNS = {Verdict.WITH_MASK: "✓", Verdict.INCORRECT_MASK: "!", Verdict.WITHOUT_MASK: "✕", Verdict.UNKNOWN: "?"}


def install_words(env: Environment) -> None:
    """Let templates say figures, times and kinds as `web.answers.words` does."""
    env.filters.update(
        number=words.count,
        percent=words.percent,
        interval=words.interval,
        duration=words.duration,
        headline=words.headline,
        long_day=words.long_day,
        span_words=words.span_words,
        split_bar=split_bar,
        too_few=words.too_few,
    )
    env.globals.update(
        FEW=words.FEW,
        LONG_TABLE=_LONG_TABLE,
        VERDICTS=[(verdict.value, _SIGNS[verdict], words.VERDICT_WORDS[verdict]) for verdict in _SIGNS],
    )
